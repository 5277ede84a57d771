package tui

import (
	"path/filepath"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// bundleScreen is which bundle the hosts are made from.
type bundleScreen struct {
	*installer
	form     form // open while a path is typed
	found    []workflow.FoundBundle
	named    []workflow.FoundBundle // those whose paths were typed, the last first
	opens    string                 // the path that was typed, while its bundle is looked at
	looked   bool
	list     list
	verified map[string]string // what came of reading a bundle, by its path; empty while it is read
}

type (
	bundlesMsg struct {
		of           *bundleScreen
		found, named []workflow.FoundBundle
	}
	namedMsg struct {
		of     *bundleScreen
		bundle workflow.FoundBundle
	}
	verifiedMsg struct {
		of   *bundleScreen
		path string
		err  error
	}
)

func newBundleScreen(in *installer) *bundleScreen {
	s := &bundleScreen{installer: in, form: form{shared: in.shared}, verified: map[string]string{}}
	if in.bundle.Path != "" { // it was chosen on this screen before
		s.named = []workflow.FoundBundle{in.bundle}
	}
	return s
}

func (s *bundleScreen) begin() tea.Cmd {
	file, draft, said, named := s.options.File, s.draft, s.options.Bundle, slices.Clone(s.named)
	return func() tea.Msg {
		for i, one := range named { // the files, and whom one trusts, may have changed
			named[i] = workflow.LookAtBundle(one.Path, file, draft)
		}
		found := workflow.FindBundles(file, draft)
		if said != "" {
			found = withBundle(workflow.LookAtBundle(said, file, draft), found)
		}
		return bundlesMsg{s, found, named}
	}
}

// took takes the bundles that were found. Those whose paths were typed stay, and so does the choice.
func (s *bundleScreen) took(found, named []workflow.FoundBundle) {
	chosen := s.bundle.Path
	if one := s.chosen(); one != nil {
		chosen = one.Path
	}
	s.found, s.looked = found, true
	for i, one := range slices.Backward(s.named) {
		if at := indexOfBundle(named, one.Path); at >= 0 {
			s.named[i] = named[at]
		}
		if indexOfBundle(s.found, one.Path) < 0 {
			s.found = withBundle(s.named[i], s.found)
		}
	}
	s.list.at = max(0, indexOfBundle(s.found, chosen))
}

func indexOfBundle(all []workflow.FoundBundle, path string) int {
	return slices.IndexFunc(all, func(one workflow.FoundBundle) bool { return one.Path == path })
}

// open looks at the bundle of a path that was typed, beside the program: the file may be large, or far away.
func (s *bundleScreen) open(path string) tea.Cmd {
	if path == "" {
		return nil
	}
	s.opens = path
	file, draft := s.options.File, s.draft
	return func() tea.Msg { return namedMsg{s, workflow.LookAtBundle(path, file, draft)} }
}

// tookNamed takes the bundle of a path that was typed, which is chosen then.
func (s *bundleScreen) tookNamed(one workflow.FoundBundle) {
	if one.Path != s.opens { // another path was typed meanwhile
		return
	}
	s.opens = ""
	s.named = append([]workflow.FoundBundle{one}, slices.DeleteFunc(s.named, func(other workflow.FoundBundle) bool { return other.Path == one.Path })...)
	s.found = withBundle(one, s.found)
	s.list.at = 0
}

// withBundle is a list with this bundle first, and once.
func withBundle(first workflow.FoundBundle, found []workflow.FoundBundle) []workflow.FoundBundle {
	rest := slices.DeleteFunc(found, func(other workflow.FoundBundle) bool {
		return other.Path == first.Path || other.Digest != "" && other.Digest == first.Digest && other.Size == first.Size && filepath.Base(other.Path) == filepath.Base(first.Path)
	})
	return append([]workflow.FoundBundle{first}, rest...)
}

func (s *bundleScreen) types() bool   { return s.form.types() }
func (s *bundleScreen) title() string { return s.say(text.StepBundle) }

func (s *bundleScreen) command() string {
	if one := s.chosen(); one != nil {
		return shellWords("slipway", "bundle", "verify", one.Path)
	}
	return shellWords("slipway", "bundle", "build", "--out", "bundle.tar")
}

func (s *bundleScreen) chosen() *workflow.FoundBundle {
	if s.list.at >= len(s.found) {
		return nil
	}
	return &s.found[s.list.at]
}

func (s *bundleScreen) keys() []key {
	if s.form.types() {
		return stepKeys(true)
	}
	return []key{{"n", text.KeyNext}, {"↑↓", text.KeyMove}, {"v", text.KeyVerify}, {"a", text.BundleOther}, {"Esc", text.KeyBack}}
}

func (s *bundleScreen) leave(quitting bool) (bool, tea.Cmd) { return s.leaveStep(quitting) }

func (s *bundleScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case bundlesMsg:
		if msg.of == s {
			s.took(msg.found, msg.named)
		}
	case namedMsg:
		if msg.of == s {
			s.tookNamed(msg.bundle)
		}
	case verifiedMsg:
		if msg.of == s {
			s.verified[msg.path] = s.theme.mark(markWell) + " " + s.say(text.BundleRight)
			if msg.err != nil {
				s.verified[msg.path] = s.theme.mark(markBad) + " " + clean(msg.err.Error())
			}
		}
	case tea.KeyMsg:
		return s.key(msg)
	}
	return nil
}

func (s *bundleScreen) key(msg tea.KeyMsg) tea.Cmd {
	if s.form.types() {
		if _, changed := s.form.key(msg); changed {
			return s.open(s.form.fields[0].value)
		}
		return nil
	}
	switch msg.String() {
	case "a":
		s.form.fields = []*field{{label: words(text.BundlePath)}}
		s.form.open()
		return nil
	}
	if s.opens != "" { // the list is not shown
		return nil
	}
	switch msg.String() {
	case "v":
		return s.verify()
	case "n", "right", "enter":
		if one := s.chosen(); one != nil && one.Err == nil {
			s.bundle = *one
			return s.push(newFileScreen(s.installer))
		}
		return nil
	}
	s.list.key(msg, len(s.found))
	return nil
}

// verify reads all of the chosen bundle, beside the program.
func (s *bundleScreen) verify() tea.Cmd {
	one := s.chosen()
	if one == nil {
		return nil
	}
	s.verified[one.Path] = ""
	bundle := *one
	return func() tea.Msg { return verifiedMsg{s, bundle.Path, bundle.Verify(s.ctx)} }
}

func (s *bundleScreen) body(columns, height int) []string {
	lines := wrap(s.say(text.BundleAbout), columns)
	lines = append(lines, "")
	if s.form.types() {
		return append(lines, s.form.lines(columns, 4)...)
	}
	if s.opens != "" {
		return append(lines, wrapAll([]string{s.say(text.BundleOpens, clean(s.opens))}, columns, s.theme.mark(markRuns)+" ", "  ")...)
	}
	if s.looked && len(s.found) == 0 {
		return append(lines, wrap(s.say(text.BundleNone), columns)...)
	}
	below := s.about(columns)
	from, to := s.list.window(len(s.found), max(3, height-len(lines)-len(below)))
	for i := from; i < to; i++ {
		one := s.found[i]
		sign := markWell
		if one.Err != nil {
			sign = markBad
		}
		cursor := "  "
		if i == s.list.at {
			cursor = s.theme.cursor + " "
		}
		lines = append(lines, cursor+s.theme.mark(sign)+" "+s.theme.fit(clean(filepath.Base(one.Path)), 30)+" Kubernetes "+s.theme.fit(clean(one.Bill.KubernetesVersion), 10)+
			" "+s.theme.fit(clean(one.Bill.Platform.OS+"/"+one.Bill.Platform.Arch), 14)+" "+hosts.Size(one.Size))
	}
	return append(lines, below...)
}

// about is what there is to know of the chosen bundle.
func (s *bundleScreen) about(columns int) []string {
	one := s.chosen()
	if one == nil {
		return nil
	}
	lines := []string{"", clean(one.Path)}
	if one.Digest != "" {
		lines = append(lines, s.theme.faint.Render(clean(one.Digest)))
		lines = append(lines, wrap(s.say(text.BundleSigned, clean(one.Signature)), columns)...)
	}
	if said, asked := s.verified[one.Path]; asked {
		if said == "" {
			said = s.theme.mark(markRuns) + " " + s.say(text.BundleReads)
		}
		lines = append(lines, wrap(said, columns)...)
	}
	if one.Err != nil {
		lines = append(lines, wrapAll(cleanLines(s.options.Explain(one.Err, false)), columns, "", "  ")...)
	}
	if one.Digest != "" {
		lines = append(lines, wrapAll([]string{strings.Join(holds(*one), ", ")}, columns, s.say(text.BundleHolds), "  ")...)
	}
	return lines
}

// holds are the parts of a bundle with their sizes, as they are stored.
func holds(one workflow.FoundBundle) []string {
	var all []string
	for _, set := range one.Bill.Sets {
		var size int64
		for _, layer := range set.Layers {
			size += layer.Size
		}
		all = append(all, clean(set.Name)+" "+hosts.Size(size))
	}
	for _, image := range one.Bill.Images {
		var size int64
		for _, layer := range image.Layers {
			size += layer.Size
		}
		name, _, _ := strings.Cut(image.Name[strings.LastIndexByte(image.Name, '/')+1:], ":")
		all = append(all, clean(name)+" "+hosts.Size(size))
	}
	return all
}
