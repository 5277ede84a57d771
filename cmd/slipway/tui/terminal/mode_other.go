//go:build !linux

package terminal

import (
	"errors"
	"os"
)

func isCooked(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// unread is how many bytes were sent that the program has not read yet; it is not known here.
func unread(*os.File) int { return 0 }
