// Package quiet keeps bubbletea from asking the terminal for its background whenever the program starts, also where it
// only runs a command: the question is an escape sequence on standard output, and its answer may not come for seconds.
//
// bubbletea asks in its init (tea_init.go of v1, which calls lipgloss.HasDarkBackground), and termenv, by which it does, asks
// no terminal that calls itself dumb. So this one does until bubbletea is initialised. Go initialises
// packages in the order of their import paths once what they import is initialised (the language's specification,
// "Program initialization", since 1.21): this one imports only os, and bubbletea waits for packages of golang.org, whose
// paths come after this one's.
package quiet

import "os"

var term, has = os.LookupEnv("TERM")

func init() { _ = os.Setenv("TERM", "dumb") } // it has no reason to fail

// Over gives the terminal its name back. It is called by the init of a package that imports bubbletea.
func Over() {
	if has {
		_ = os.Setenv("TERM", term)
	} else {
		_ = os.Unsetenv("TERM")
	}
}
