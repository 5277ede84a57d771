package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// compiled is what compiling a component gave. Paths are below the entry's directory.
type compiled struct {
	Programs  []builtFile  `json:"programs"`
	Modules   []module     `json:"modules"` // what is linked in, the component's own among them
	Size      int64        `json:"size"`
	Libraries []debPackage `json:"libraries,omitempty"` // C libraries linked in
	// Processor is how long processors were busy with it. What Go's own cache had is not in it.
	Processor time.Duration `json:"processor,omitempty"`

	directory string
}

type builtFile struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// program finds a binary.
func (c compiled) program(name string) (builtFile, string, error) {
	for _, file := range c.Programs {
		if file.Name == name {
			return file, filepath.Join(c.directory, "bin", name), nil
		}
	}
	return builtFile{}, "", fmt.Errorf("no program %s was built", name)
}

// toolchain is what compiles, and so a part of every key.
type toolchain struct {
	Go        string
	Compiler  debPackage   // for cgo
	Libraries []debPackage // that cgo links in
}

// compileInputs decide what comes out of a compilation.
type compileInputs struct {
	Name      string
	Version   string
	Sources   map[string]string // file → digest, of the component's folder
	Toolchain toolchain
	OS, Arch  string
	Cgo       bool
	LinkFlags string
	Programs  []string
}

func (b *builder) compile(ctx context.Context, c component) (compiled, error) {
	c, err := c.resolve(b.set)
	if err != nil {
		return compiled{}, err
	}
	return work(b.tell, StageCompile, c.name, func(moving func(string)) (compiled, outcome, error) {
		inputs, err := b.compileInputs(ctx, c)
		if err != nil {
			return compiled{}, outcome{}, fmt.Errorf("compile %s: %w", c.name, err)
		}
		directory, made, hit, err := entry(b.cache, "compile", c.name, inputs, func(directory string) (compiled, error) {
			return b.compileInto(ctx, c, inputs.Toolchain, directory, moving)
		})
		if err != nil {
			return compiled{}, outcome{}, fmt.Errorf("compile %s: %w", c.name, err)
		}
		made.directory = directory
		return made, outcome{bytes: made.Size, processor: made.Processor, cached: hit}, nil
	})
}

func (b *builder) compileInputs(ctx context.Context, c component) (compileInputs, error) {
	sources, err := hashSources(b.set, c)
	if err != nil {
		return compileInputs{}, err
	}
	inputs := compileInputs{
		Name: c.name, Version: c.version, Sources: sources, Toolchain: toolchain{Go: b.goVersion},
		OS: b.platform.OS, Arch: b.platform.Arch, Cgo: c.cgo, LinkFlags: c.linkFlags(),
	}
	for _, p := range c.programs {
		inputs.Programs = append(inputs.Programs, p.name+"="+p.packagePath+" "+strings.Join(p.tags, ","))
	}
	if c.cgo {
		inputs.Toolchain.Compiler, inputs.Toolchain.Libraries, err = cToolchain(ctx)
	}
	return inputs, err
}

// hashSources digests what a component is compiled from here: the files of its folder, those of
// its programs' own folders below it, and go.mod and go.sum, which pin all the rest. These count
// under their own names wherever the set has them: the same content gives the same program.
func hashSources(set pinnedSet, c component) (map[string]string, error) {
	folder := filepath.Join(set.components, c.folder)
	files, err := sourceFiles(folder, c)
	if err != nil {
		return nil, err
	}
	if c.module != "" {
		if files["go.mod"], files["go.sum"], err = set.modules(c.folder); err != nil {
			return nil, err
		}
	}
	sources := map[string]string{}
	for name, path := range files {
		if sources[name], _, err = hashFile(path); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// sourceFiles finds the files that a component is compiled from, by their names below its folder.
func sourceFiles(folder string, c component) (map[string]string, error) {
	below := []string{"."}
	for _, p := range c.programs {
		if strings.HasPrefix(p.packagePath, "./") {
			below = append(below, p.packagePath)
		}
	}
	files := map[string]string{}
	for _, part := range below {
		entries, err := os.ReadDir(filepath.Join(folder, part))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") || strings.HasSuffix(entry.Name(), "_test.go") {
				continue
			}
			name := filepath.Join(part, entry.Name())
			files[name] = filepath.Join(folder, name)
		}
	}
	return files, nil
}

func (b *builder) compileInto(ctx context.Context, c component, tools toolchain, directory string, moving func(string)) (compiled, error) {
	made := compiled{}
	bin := filepath.Join(directory, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return made, err
	}
	for _, p := range c.programs {
		out := filepath.Join(bin, p.name)
		processor, err := b.goBuild(ctx, c, p, out, moving)
		if err != nil {
			return made, err
		}
		made.Processor += processor
		digest, size, err := hashFile(out)
		if err != nil {
			return made, err
		}
		made.Programs = append(made.Programs, builtFile{Name: p.name, Digest: digest, Size: size})
		made.Size += size
	}
	var err error
	if made.Modules, err = linkedModules(bin, made.Programs); err != nil {
		return made, err
	}
	moving("gathering licences")
	licences := filepath.Join(directory, "licences")
	if made.Libraries, err = describeLibraries(ctx, tools.Libraries, filepath.Join(licences, "debian")); err != nil {
		return made, err
	}
	err = gatherLicences(ctx, b.modCache, made.Modules, licences)
	return made, err
}

// goBuild compiles one program, and tells how long processors were busy. The environment is
// the caller's, so that its proxy and checksum settings hold, but nothing in it may change
// what comes out.
func (b *builder) goBuild(ctx context.Context, c component, p program, out string, moving func(string)) (processor time.Duration, err error) {
	mod, _, err := b.set.modules(c.folder)
	if err != nil {
		return 0, err
	}
	arguments := []string{
		"build", "-v", "-mod=readonly", "-modfile=" + mod, "-trimpath", "-buildvcs=false",
		"-tags=" + strings.Join(p.tags, ","), "-ldflags=" + c.linkFlags(), "-o", out, p.packagePath,
	}
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = filepath.Join(b.set.components, c.folder)
	cgo := "0"
	if c.cgo {
		cgo = "1"
	}
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOOS="+b.platform.OS, "GOARCH="+b.platform.Arch,
		"GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED="+cgo, "CGO_CFLAGS=-O2", "CGO_LDFLAGS=-O2", "CC=gcc")
	err = run(command, func(line string) {
		moving(p.name + ": " + line)
	})
	return busy(command), err
}

// busy is how long processors were busy with a command that has ended, and with all that it
// had started.
func busy(command *exec.Cmd) time.Duration {
	if command.ProcessState == nil {
		return 0 // it did not start
	}
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime()
}

// keptLines is how much of a failed command's words an error repeats.
const keptLines = 30

// run runs a command, telling each line that it says on stderr; when it fails, its last
// lines are the error.
func run(command *exec.Cmd, say func(line string)) error {
	// When the build is stopped, the command may tidy up after itself first.
	if command.Cancel != nil {
		command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
		command.WaitDelay = 10 * time.Second
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	var kept []string
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if say != nil {
			say(line)
		}
		if kept = append(kept, line); len(kept) > keptLines {
			kept = kept[1:]
		}
	}
	_, drainErr := io.Copy(io.Discard, stderr) // a line beyond the buffer must not block the command
	if err := errors.Join(command.Wait(), drainErr); err != nil {
		return fmt.Errorf("%s: %w:\n%s", strings.Join(command.Args[:2], " "), err, strings.Join(kept, "\n"))
	}
	return nil
}

// output runs a command for what it says on stdout.
func output(command *exec.Cmd) (string, error) {
	var out strings.Builder
	command.Stdout = &out
	if err := run(command, nil); err != nil {
		return "", err
	}
	return out.String(), nil
}
