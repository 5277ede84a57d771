// Command record has a program run in a terminal, as a script says, and makes pictures of what is seen.
//
//	record act [-size 100x30] [-cast FILE] [-pictures FOLDER] SCRIPT COMMAND [ARG...]
//	record animate CAST SVG
//
// act writes what was seen as an asciicast, and at each "picture NAME" of the script the screen as FOLDER/NAME.svg. animate makes
// of an asciicast an SVG that plays it. A script has a deed on each line:
//
//	wait TEXT       until TEXT is on the screen        gone TEXT     until it is not
//	press KEY...    keys, such as enter, down, n       type TEXT     character by character
//	paste           the lines below that begin with a tab
//	pause 2s        leave time to read                 picture NAME  draw the screen
//	within 5m       how long waits may take            keys 100ms    between two keys
//	faster 10       from here on the animation plays so many times faster; 1: at its own pace
//	end             the animation ends here
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

const usage = "usage: record act [-size 100x30] [-cast FILE] [-pictures FOLDER] SCRIPT COMMAND [ARG...]\n       record animate CAST SVG\n"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "animate":
		return animate(args[1], args[2])
	case len(args) > 0 && args[0] == "act":
		return record(args[1:])
	}
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
	return nil
}

// record carries out a script.
func record(args []string) error {
	flags := flag.NewFlagSet("act", flag.ExitOnError)
	size := flags.String("size", "100x30", "the terminal's columns and lines")
	castFile := flags.String("cast", "", "write an asciicast here")
	pictures := flags.String("pictures", ".", "the folder that pictures are written to")
	_ = flags.Parse(args) // it ends where it must
	var columns, lines int
	if _, err := fmt.Sscanf(*size, "%dx%d", &columns, &lines); err != nil || flags.NArg() < 2 {
		return fmt.Errorf("want a size such as 100x30, a script and a command\n%s", usage)
	}
	script, err := os.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer script.Close()
	deeds, err := parseScript(script)
	if err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	var out io.Writer
	if *castFile != "" {
		file, err := os.Create(*castFile)
		if err != nil {
			return err
		}
		defer file.Close()
		out = file
	}
	at, err := terminal.Start(exec.Command(flags.Arg(1), flags.Args()[2:]...), columns, lines, out)
	if err != nil {
		return err
	}
	defer at.Close()
	if err := newActor(at, *pictures).act(deeds); err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	return at.Wait(time.Minute)
}

// animate makes an SVG that plays an asciicast.
func animate(castFile, svgFile string) error {
	file, err := os.Open(castFile)
	if err != nil {
		return err
	}
	defer file.Close()
	cast, err := terminal.ReadCast(file)
	if err != nil {
		return fmt.Errorf("%s: %w", castFile, err)
	}
	drawn, err := animationSVG(cast)
	if err != nil {
		return fmt.Errorf("%s: %w", castFile, err)
	}
	return os.WriteFile(filepath.Clean(svgFile), []byte(drawn), 0o644)
}
