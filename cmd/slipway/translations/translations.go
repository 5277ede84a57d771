// Package translations has kubectl's translations read only where kubectl runs. kubectl asks
// for them while its packages are initialised, which is in every process of this binary, and
// reading them is a quarter of such a process's start: an agent's on each host, for one.
//
// It has to be initialised before those packages. It is, as its path sorts before theirs
// and it imports nothing else of kubectl (https://go.dev/ref/spec#Program_initialization).
package translations

import (
	"os"

	"k8s.io/kubectl/pkg/util/i18n"
)

func init() {
	if err := i18n.SetLoadTranslationsFunc(load); err != nil {
		panic(err) // somebody was first: see above
	}
}

func load() error {
	if len(os.Args) < 2 || os.Args[1] != "kubectl" {
		return nil
	}
	return i18n.LoadTranslations("kubectl", nil)
}
