package hosttest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// runCommand knows the programs that tests need.
func runCommand(a hosts.RunCommand) (hosts.Outcome, error) {
	if len(a.Argv) == 0 {
		return hosts.Outcome{}, errors.New("no program is named")
	}
	output := &hosts.CommandOutput{}
	switch a.Argv[0] {
	case "echo":
		output.Stdout = strings.Join(a.Argv[1:], " ") + "\n"
	case "false":
		output.Code = 1
	case "warn":
		output.Stderr, output.Code = strings.Join(a.Argv[1:], " ")+"\n", 3
	default:
		return hosts.Outcome{}, fmt.Errorf("%s: executable file not found in $PATH", a.Argv[0])
	}
	return hosts.Outcome{Result: hosts.Changed, Output: output}, nil
}
