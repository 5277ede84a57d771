package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

const (
	// deepestInclude is how many files may include each other in a row, as OpenSSH has it.
	deepestInclude = 16
	// mostFiles, mostLines and largestFile bound what is read of a configuration.
	mostFiles   = 256
	mostLines   = 20_000
	largestFile = 1 << 20
)

// systemConfig is the configuration of all users of the operator's machine.
const systemConfig = "/etc/ssh/ssh_config"

// noFile is the word for no file at all, as ssh_config(5) has it.
const noFile = "none"

// config is what ssh_config(5) files say, line by line: of a key that is said twice about a host, the first
// counts.
type config struct {
	lines   []configLine
	aliases []alias
	// wrong are the lines that say nothing to ssh, each with its file and line.
	wrong []error
}

// configLine is a setting, or begins a block.
type configLine struct {
	key   string // in lower case
	value string // all that stands behind it
	args  []string
	from  string // file:line
	in    *block // nil: about all hosts
	opens *block // where it is a Host or Match line
}

// alias is a name in a Host line that is not a pattern.
type alias struct {
	name, from string // from: file:line
	in         *block // of the files that include this one
}

// configReader reads files that include each other.
type configReader struct {
	config
	home   string
	folder string // what relative names in Include lines lie in
	own    bool   // the files are the user's, and nobody else may write to them
	files  int    // that were read
	count  int    // of lines
}

// readUserConfig reads a user's own configuration. There need be none.
func readUserConfig(home string) *config {
	folder := filepath.Join(home, ".ssh")
	return readConfigFile(filepath.Join(folder, "config"), home, folder, true)
}

// readConfigs reads the files of whom the configuration is asked for: one in place of the usual ones, or none.
func readConfigs(file, home string) *config {
	switch file {
	case noFile:
		return &config{}
	case "":
		own, all := readUserConfig(home), readConfigFile(systemConfig, home, filepath.Dir(systemConfig), false)
		return &config{
			lines: append(own.lines, all.lines...), aliases: append(own.aliases, all.aliases...), wrong: append(own.wrong, all.wrong...),
		}
	}
	if _, err := os.Stat(file); err != nil {
		return &config{wrong: []error{err}} // who names a file wants it to count
	}
	return readConfigFile(file, home, filepath.Join(home, ".ssh"), false)
}

func readConfigFile(file, home, folder string, own bool) *config {
	r := &configReader{home: home, folder: folder, own: own}
	r.read(file, nil, 0)
	return &r.config
}

func (r *configReader) bad(from, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf("%s: %s", from, fmt.Sprintf(format, args...)))
}

func (r *configReader) read(file string, about *block, depth int) {
	if r.files++; r.files > mostFiles || depth > deepestInclude {
		r.bad(file, "Include: too many files include each other (%d in a row and %d in all may)", deepestInclude, mostFiles)
		return
	}
	content, err := r.content(file)
	if err != nil {
		r.wrong = append(r.wrong, err)
		return
	}
	at := about // the block that a line is in
	for number, text := range bytes.Split(content, []byte("\n")) {
		if r.count++; r.count > mostLines {
			r.bad(file, "more than %d lines", mostLines)
			return
		}
		line := configLine{from: fmt.Sprintf("%s:%d", file, number+1), in: at}
		line.key, line.value = splitSetting(string(text))
		if line.key == "" {
			continue
		}
		if line.args, err = words(line.value); err != nil && !rawValues[line.key] {
			r.bad(line.from, "%s: %v", line.key, err)
			continue
		}
		if len(line.args) == 0 && !rawValues[line.key] {
			r.bad(line.from, "%s: its value is missing", line.key)
			if line.key != "host" && line.key != "match" {
				continue
			}
		}
		switch line.key {
		case "host", "match":
			at = r.begin(&line, about)
		case "include":
			r.include(line, depth+1)
			continue
		}
		r.lines = append(r.lines, line)
	}
}

// rawValues are the keys whose value is a command's whole line.
var rawValues = map[string]bool{"proxycommand": true, "localcommand": true, "remotecommand": true, "knownhostscommand": true}

// begin begins a block below the one that a file is included in.
func (r *configReader) begin(line *configLine, about *block) *block {
	made := &block{parent: about, from: line.from}
	line.opens, line.in = made, about
	if line.key == "host" {
		made.patterns = line.args
		for _, name := range line.args {
			if isHostName(name) {
				r.aliases = append(r.aliases, alias{name: name, from: line.from, in: about})
			}
		}
		return made
	}
	var err error
	if made.criteria, err = parseCriteria(line.args); err != nil && len(line.args) > 0 {
		r.bad(line.from, "match: %v", err)
	}
	return made
}

// include reads the files that its patterns mean: as OpenSSH does, in the order of their names, and passes
// over those that are not there.
func (r *configReader) include(line configLine, depth int) {
	for _, pattern := range line.args {
		pattern, err := expandEnvironment(pattern)
		if err != nil {
			r.bad(line.from, "include: %v", err)
			continue
		}
		if pattern = expandTilde(pattern, r.home); !filepath.IsAbs(pattern) {
			pattern = filepath.Join(r.folder, pattern)
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // it is no pattern: no file is meant
		}
		for _, file := range found {
			r.read(file, line.in, depth)
		}
	}
}

// content is what a file says. One that others may write to could have commands of theirs run: as ssh does,
// such a one of the user's own is refused.
func (r *configReader) content(file string) ([]byte, error) {
	if info, err := os.Stat(file); err == nil && r.own && info.Mode().IsRegular() {
		stat, _ := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm()&0o022 != 0 || stat != nil && stat.Uid != 0 && int(stat.Uid) != os.Getuid() {
			return nil, fmt.Errorf("%s: others may write to it, or it is another user's: chmod go-w %s", file, word(file))
		}
	}
	return readBounded(file)
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

var errQuotes = errors.New("a quote does not end")

// words are a value's, as a shell would part it; a # that begins a word begins a comment.
func words(value string) ([]string, error) {
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
			return all, nil
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
	if quoted != 0 {
		return all, errQuotes
	}
	return all, nil
}

// hostName is what a host's name or address may be: no pattern, and nothing that steers a terminal.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_.:-]*(%[A-Za-z0-9_.-]+)?$`)

func isHostName(name string) bool {
	if strings.Contains(name, "%") { // a zone stands behind an address alone
		if _, err := netip.ParseAddr(name); err != nil {
			return false
		}
	}
	return len(name) <= 255 && hostName.MatchString(name)
}

// expandTilde puts home folders in: the user's own for ~/, another's for ~name/.
func expandTilde(path, home string) string {
	rest, is := strings.CutPrefix(path, "~")
	if !is {
		return path
	}
	name, below, _ := strings.Cut(rest, "/")
	if name == "" {
		return filepath.Join(home, below)
	}
	other, err := user.Lookup(name)
	if err != nil {
		return path
	}
	return filepath.Join(other.HomeDir, below)
}
