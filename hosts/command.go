package hosts

import "path"

var _ = register(RunCommand{})

// RunCommand runs a program as root, without a shell, and tells what it wrote and how it ended: its end
// with another code than 0 is no error. It has no input. The lease of another operator does not keep
// it from running: it is for looking as well.
type RunCommand struct {
	Argv    []string `json:"argv"`           // the program, by its path or found in the usual folders, and its arguments
	Timeout int      `json:"timeoutSeconds"` // then it and all that it has started in its process group are killed
}

// describe names the program alone: descriptions go to journals, and arguments may be secret.
func (a RunCommand) describe() Description {
	program := ""
	if len(a.Argv) > 0 {
		program = path.Base(a.Argv[0])
	}
	return Description{Kind: "run-command", Deed: "run " + program}
}

// CommandOutput is what a command wrote, as much as MaxOutput of each stream, and how it ended.
// Whoever shows it has to Clean it.
type CommandOutput struct {
	Stdout  string `json:"stdout"`
	Stderr  string `json:"stderr"`
	Code    int    `json:"code"`              // 128 and the signal's number where one ended it, as shells have it
	Cause   string `json:"cause,omitempty"`   // why it was ended from outside
	LeftOut int64  `json:"leftOut,omitempty"` // bytes that were written beyond MaxOutput
}

// MaxOutput is how much is kept of each stream of a command, in bytes: the first part.
const MaxOutput = 256 << 10
