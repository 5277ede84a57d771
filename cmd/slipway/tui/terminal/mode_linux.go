package terminal

import (
	"fmt"
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

// unread is how many bytes were sent that the program has not read yet; 0 where that is not known.
func unread(file *os.File) int {
	number, err := unix.IoctlGetInt(int(file.Fd()), unix.TIOCGPTN)
	if err != nil {
		return 0
	}
	// It is opened for this moment alone: as long as it is open, the end of the program is not seen.
	other, err := unix.Open(fmt.Sprintf("/dev/pts/%d", number), unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(other)
	n, err := unix.IoctlGetInt(other, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
