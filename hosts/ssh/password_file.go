package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

// longestSecret bounds a file with a password.
const longestSecret = 4 << 10

// readPasswordFile gives the first line of a file that its owner alone may read.
func readPasswordFile(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO is not waited for
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("others than its owner may read %s (mode %04o)", path, info.Mode().Perm())
	case stat != nil && int(stat.Uid) != os.Geteuid():
		return "", fmt.Errorf("%s is another user's (uid %d)", path, stat.Uid)
	case info.Size() > longestSecret:
		return "", fmt.Errorf("%s is too large for a password", path)
	}
	content, err := io.ReadAll(io.LimitReader(file, longestSecret))
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(content), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%s has no password in its first line", path)
	}
	return line, nil
}

// CheckPasswordFile tells why a file with a password is not taken.
func CheckPasswordFile(path string) error {
	_, err := readPasswordFile(path)
	return passwordFileError(path, err)
}

func passwordFileError(path string, err error) error {
	if err == nil {
		return nil
	}
	fix := "put the password into its first line: umask 077; cat > " + word(path)
	if !errors.Is(err, os.ErrNotExist) {
		fix = fmt.Sprintf("chown %d %s && chmod 0600 %s", os.Geteuid(), word(path), word(path))
	}
	return &hosts.Error{Kind: hosts.KindAuth, Op: "read the password file", Err: err, Fix: fix}
}

// fromFile is a source that reads a file, once: what was refused is not tried again.
func fromFile(key secretKey, path string) source {
	key.file = path
	return source{key: key, most: 1, fetch: func(context.Context, int) (string, error) {
		value, err := readPasswordFile(path)
		return value, passwordFileError(path, err)
	}}
}
