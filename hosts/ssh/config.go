package ssh

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// deepestInclude is how many files may include each other in a row, as OpenSSH has it.
	deepestInclude = 16
	// mostFiles, mostLines and largestFile bound what is read of a configuration.
	mostFiles   = 256
	mostLines   = 20_000
	largestFile = 1 << 20
)

// config is what ssh_config(5) files say: their settings in order, of which the first that is
// about a host counts.
type config struct {
	settings []setting
	aliases  []alias
}

// setting is one line.
type setting struct {
	key, value string // the key in lower case
	about      guards
}

// alias is a name in a Host line that is not a pattern.
type alias struct {
	name, from string // from: file:line
	about      guards // of the files that include this one
}

// guards are the Host lines that a line stands below, the included files' ones among them: it is about a
// host that all of them name.
type guards [][]string

func (g guards) match(name string) bool {
	return !slices.ContainsFunc(g, func(patterns []string) bool { return !matches(patterns, name) })
}

// get is the first value that a key has for a name.
func (c *config) get(name string, keys ...string) (key, value string) {
	for _, s := range c.settings {
		if slices.Contains(keys, s.key) && s.about.match(name) {
			return s.key, s.value
		}
	}
	return "", ""
}

// configReader reads files that include each other.
type configReader struct {
	config
	home  string
	files int // that were read
	lines int
}

// readConfig reads a user's configuration. There need be none.
func readConfig(home string) (*config, error) {
	r := &configReader{home: home}
	err := r.read(filepath.Join(home, ".ssh", "config"), nil, 0)
	return &r.config, err
}

func (r *configReader) read(file string, about guards, depth int) error {
	if r.files++; r.files > mostFiles || depth > deepestInclude {
		return nil
	}
	content, err := readBounded(file)
	if err != nil {
		return err
	}
	own := about // of the block that a line is in
	for number, line := range bytes.Split(content, []byte("\n")) {
		if r.lines++; r.lines > mostLines {
			return nil
		}
		key, value := splitSetting(string(line))
		switch key {
		case "":
		case "host":
			patterns := words(value)
			own = append(slices.Clone(about), patterns)
			for _, name := range patterns {
				if isHostName(name) {
					r.aliases = append(r.aliases, alias{name: name, from: file + ":" + strconv.Itoa(number+1), about: own})
				}
			}
		case "match":
			own = append(slices.Clone(about), matchPatterns(value))
		case "include":
			for _, pattern := range words(value) {
				if err := r.include(pattern, own, depth+1); err != nil {
					return err
				}
			}
		default:
			r.settings = append(r.settings, setting{key, value, own})
		}
	}
	return nil
}

// include reads the files that a pattern means: as OpenSSH does, in the order of their names, and passes
// over those that are not there.
func (r *configReader) include(pattern string, about guards, depth int) error {
	rest, atHome := strings.CutPrefix(pattern, "~/")
	switch {
	case atHome:
		pattern = filepath.Join(r.home, rest)
	case !filepath.IsAbs(pattern):
		pattern = filepath.Join(r.home, ".ssh", pattern)
	}
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil // it is no pattern: no file is meant
	}
	for _, file := range found {
		if err := r.read(file, about, depth); err != nil {
			return err
		}
	}
	return nil
}

// readBounded reads a file, or what stands at its beginning. One that is not there is empty, and so is what
// is no file.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, largestFile))
}

// matchPatterns are the hosts that a Match line is about, where that is known without asking anybody: all,
// or a list of names. Other conditions are taken as not met.
func matchPatterns(value string) []string {
	criteria := words(value)
	switch {
	case len(criteria) == 1 && strings.EqualFold(criteria[0], "all"):
		return []string{"*"}
	case len(criteria) == 2 && (strings.EqualFold(criteria[0], "host") || strings.EqualFold(criteria[0], "originalhost")):
		return strings.Split(criteria[1], ",")
	}
	return nil
}

// splitSetting parts a line into its key, in lower case, and the rest. Both are empty where it
// says nothing.
func splitSetting(line string) (key, value string) {
	line = strings.Trim(line, " \t\r\f")
	if line == "" || line[0] == '#' {
		return "", ""
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), ""
	}
	value = strings.TrimLeft(line[end:], " \t")
	if after, equals := strings.CutPrefix(value, "="); equals {
		value = strings.TrimLeft(after, " \t")
	}
	return strings.ToLower(line[:end]), value
}

// words are a value's, as a shell would part it; a # that begins a word begins a comment.
func words(value string) []string {
	var all []string
	var word strings.Builder
	begun, quoted := false, byte(0)
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && i+1 < len(value) && (value[i+1] == '\\' || value[i+1] == '"' || value[i+1] == '\'' || quoted == 0 && value[i+1] == ' '):
			i++
			word.WriteByte(value[i])
			begun = true
		case quoted != 0 && c == quoted:
			quoted = 0
		case quoted != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			begun, quoted = true, c
		case c == '#' && !begun:
			return all
		case c == ' ' || c == '\t':
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}

// first is a value's first word.
func first(value string) string {
	if all := words(value); len(all) > 0 {
		return all[0]
	}
	return ""
}

// hostName is what a host's name or address may be: no pattern, and nothing that steers a terminal.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_.:-]*(%[A-Za-z0-9_.-]+)?$`)

func isHostName(name string) bool { return len(name) <= 255 && hostName.MatchString(name) }

// expandTokens replaces what ssh_config(5) calls tokens; ok tells whether it knows all of them.
func expandTokens(text string, tokens map[byte]string) (expanded string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return "", false
		}
		value, known := tokens[text[i]]
		if !known {
			return "", false
		}
		b.WriteString(value)
	}
	return b.String(), true
}
