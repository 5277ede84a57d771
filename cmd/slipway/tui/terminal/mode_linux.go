package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

func isCooked(file *os.File) (bool, error) {
	mode, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	if err != nil {
		return false, err
	}
	const wanted = unix.ICANON | unix.ECHO | unix.ISIG
	return mode.Lflag&wanted == wanted, nil
}
