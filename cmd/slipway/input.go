package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// readInput reads a file, or standard input for -.
func readInput(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

// beside resolves a path that stands in a file: ~ is the operator's home, and what is
// relative is beside the file that says it.
func beside(file, path string) string {
	switch {
	case path == "" || filepath.IsAbs(path):
		return path
	case strings.HasPrefix(path, "~/"):
		home, err := os.UserHomeDir()
		if err != nil {
			return path
		}
		return filepath.Join(home, path[2:])
	}
	return filepath.Join(filepath.Dir(file), path)
}

// confirm asks a question on the terminal. Without one there is nobody to ask: then
// it says which flag answers.
func confirm(in *os.File, out io.Writer, question string) (bool, error) {
	if !term.IsTerminal(int(in.Fd())) {
		return false, usagef("%s: nobody is here to answer: say --yes", question)
	}
	fmt.Fprintf(out, "%s [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
