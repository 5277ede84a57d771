package ssh

import (
	"crypto/sha1" //nolint:gosec // what %C stands for
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// localNames are what tokens and conditions say of the operator's machine and user.
type localNames struct {
	home, user, uid string
	login           string // who logs in unless said
	host            string // the machine's own name
}

func readLocalNames(home, login string) localNames {
	l := localNames{home: home, uid: strconv.Itoa(os.Getuid()), user: os.Getenv("USER"), login: login}
	if own, err := user.Current(); err == nil {
		l.user, l.uid = own.Username, own.Uid
	}
	l.host, _ = os.Hostname() // without one, %l is empty
	return l
}

// tokens are what ssh_config(5) has in file names and commands, by what has been said so far.
func (a *answers) tokens() map[byte]string {
	port := "22"
	if text := a.word("port"); text != "" {
		port = text
		if number, err := portOf(text); err == nil {
			port = strconv.Itoa(number)
		}
	}
	if a.port != 0 {
		port = strconv.Itoa(a.port)
	}
	alias := a.word("hostkeyalias")
	if alias == "" {
		alias = a.name
	}
	jump := a.word("proxyjump")
	if strings.EqualFold(jump, noFile) {
		jump = ""
	}
	short, _, _ := strings.Cut(a.local.host, ".")
	sum := sha1.Sum([]byte(a.local.host + a.host() + port + a.login() + jump)) //nolint:gosec // as OpenSSH has it
	return map[byte]string{
		'%': "%", 'C': hex.EncodeToString(sum[:]), 'd': a.local.home, 'h': a.host(), 'i': a.local.uid, 'j': jump, 'k': alias,
		'L': short, 'l': a.local.host, 'n': a.name, 'p': port, 'r': a.login(), 'u': a.local.user,
	}
}

// expandTokens replaces what ssh_config(5) calls tokens.
func expandTokens(text string, tokens map[byte]string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", errors.New("it ends in a lone %")
		}
		value, known := tokens[text[i]]
		if !known {
			return "", fmt.Errorf("%%%c has no meaning here", text[i])
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// expandEnvironment replaces ${NAME}; one that is not set is an error, as ssh has it.
func expandEnvironment(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, ends := strings.Cut(rest, "}")
		if !ends {
			return "", errors.New("${ without a }")
		}
		value, set := os.LookupEnv(name)
		if !set {
			return "", fmt.Errorf("the environment has no %s", name)
		}
		b.WriteString(value)
		text = after
	}
}

// file is the name of a file on the operator's machine, expanded.
func (a *answers) file(text string) (string, error) {
	if strings.EqualFold(text, noFile) {
		return noFile, nil
	}
	text, err := expandEnvironment(text)
	if err != nil {
		return "", err
	}
	if text, err = expandTokens(text, a.tokens()); err != nil {
		return "", err
	}
	return expandTilde(text, a.local.home), nil
}
