package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/bundle/build"
	"github.com/slipway-k8s/slipway/workflow"
)

func newBundleCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "bundle",
		Short: "Build, inspect and verify bundles",
		Long: `A bundle is one file with all that the hosts will ever run: slipway-agent, containerd,
runc, the CNI plugins, Kubernetes, etcd, CoreDNS, flannel, haproxy and keepalived. It is
an OCI image layout, so that any OCI tool can look into it.`,
	}
	command.AddCommand(newBundleBuildCommand(), newBundleInspectCommand(), newBundleVerifyCommand())
	return command
}

// bundleBuildFlags are build's flags.
type bundleBuildFlags struct {
	from       string
	out        string
	signKey    string
	sign       bool
	components string
	cache      string
	agent      string
	component  string
	kubernetes string
	fast       bool
	format     *string
}

func newBundleBuildCommand() *cobra.Command {
	var flags bundleBuildFlags
	command := &cobra.Command{
		Use:   "build --out FILE",
		Short: "Build a bundle, every component from source",
		Long: `Build compiles every component at the version that bundle/components of this checkout
pins, takes the load balancer and the network tools out of the distribution's packages,
and packs all of it into one file. It needs Go, and of Debian's or Ubuntu's packages:
  apt-get install ` + strings.Join(build.Packages, " ") + `
What was built is kept in the user's cache folder, so that the next build takes seconds.`,
		Example: `  slipway bundle build --from source --out dist/bundle.tar
  slipway bundle build --out dist/bundle.tar --sign-key release.pem
  slipway bundle build --kubernetes v1.36.3 --out dist/bundle-v1.36.tar`,
		Args: cobra.NoArgs,
	}
	command.Flags().StringVar(&flags.from, "from", "source", "where components come from: source")
	command.Flags().StringVar(&flags.out, "out", "", "the file to write")
	command.Flags().StringVar(&flags.signKey, "sign-key", "", "sign with this Ed25519 key (PKCS #8 PEM)")
	command.Flags().BoolVar(&flags.sign, "sign", false, "sign with your own key, made once: "+signingFolder+"/"+signingPrivate+" in Slipway's state folder, "+signingPublic+" for those who are to trust it")
	command.Flags().StringVar(&flags.components, "components", "", "the folder bundle/components (default: of the checkout around the current folder)")
	command.Flags().StringVar(&flags.kubernetes, "kubernetes", "", "the Kubernetes version to build, of those that bundle/components pins (default: the newest)")
	command.Flags().StringVar(&flags.cache, "cache", "", "the folder to keep what was built (default: slipway/bundle in the user's cache folder)")
	command.Flags().StringVar(&flags.agent, "agent", "", "the slipway-agent to put in (default: the one that this slipway has in it)")
	command.Flags().StringVar(&flags.component, "component", "", "build this program alone, such as kubeadm")
	command.Flags().BoolVar(&flags.fast, "fast", false, "compress little, to try a bundle out")
	_ = command.Flags().MarkHidden("component")
	_ = command.Flags().MarkHidden("fast")
	_ = command.MarkFlagRequired("out")
	_ = command.MarkFlagFilename("sign-key", "pem")
	flags.format = outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		return runBundleBuild(command.Context(), command.OutOrStdout(), flags)
	}
	return command
}

func runBundleBuild(ctx context.Context, out io.Writer, flags bundleBuildFlags) error {
	if flags.from != "source" {
		return usagef("--from %s: must be source", flags.from)
	}
	options, err := flags.options()
	if err != nil {
		return err
	}
	if options.Agent == "" && flags.component == "" {
		path, remove, err := unpackAgent()
		if err != nil {
			return fmt.Errorf("find the agent that the bundle is to carry: %w", err)
		}
		defer remove()
		options.Agent = path
	}
	key, public, err := flags.signingKey()
	if err != nil {
		return err
	}
	options.SignKey = key
	display := newBuildDisplay(*flags.format, out)
	if flags.component != "" {
		err = build.Component(ctx, options, flags.component, display.progress)
	} else {
		err = build.Build(ctx, options, display.progress)
	}
	display.close()
	if err != nil || flags.component != "" || *flags.format != formatText {
		return err
	}
	return summarise(out, options.Out, key, public)
}

func (f bundleBuildFlags) options() (build.Options, error) {
	options := build.Options{
		Components: f.components, Kubernetes: f.kubernetes, Out: f.out, Cache: f.cache, Agent: f.agent, SlipwayVersion: version, Fast: f.fast,
	}
	if options.Components != "" {
		return options, nil
	}
	binary, err := os.Executable()
	if err != nil {
		return options, fmt.Errorf("find this binary: %w", err)
	}
	options.Components, err = findComponents(binary)
	return options, err
}

// signingKey is the key that the bundle is to be signed with, nil for none, and of the user's
// own the file of its public half.
func (f bundleBuildFlags) signingKey() (key ed25519.PrivateKey, public string, err error) {
	switch {
	case f.sign && f.signKey != "":
		return nil, "", usagef("--sign, --sign-key: one key signs: say one of them")
	case f.sign:
		return ownSigningKey()
	case f.signKey != "":
		key, err = readSigningKey(f.signKey)
	}
	return key, "", err
}

// findComponents looks for bundle/components above the current folder, and above the
// binary, which is in bin/ of a checkout.
func findComponents(binary string) (string, error) {
	current, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the components' sources: %w", err)
	}
	for _, start := range []string{current, filepath.Dir(binary)} {
		for folder := start; ; folder = filepath.Dir(folder) {
			components := filepath.Join(folder, "bundle", "components")
			if _, err := os.Stat(filepath.Join(components, "kube", "go.mod")); err == nil {
				return components, nil
			}
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	return "", errors.New("find the components' sources: not inside a Slipway checkout; name its folder bundle/components by --components")
}

// summarise says what was built, and holds the signature against the key that signed; public
// is where the key is for others, if anywhere.
func summarise(out io.Writer, path string, key ed25519.PrivateKey, public string) error {
	var trusted []ed25519.PublicKey
	if key != nil {
		trusted = append(trusted, key.Public().(ed25519.PublicKey))
	}
	a, err := archive.Open(path, archive.Trust(trusted...))
	if err != nil {
		return err
	}
	seen, err := inspect(a)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s: Kubernetes %s for %s, %s, %s, %s\n", path, seen.Bill.KubernetesVersion, seen.Bill.Platform, megabytes(seen.Size), seen.Digest, seen.Signature)
	}
	if err == nil && public != "" {
		_, err = fmt.Fprintf(out, "its public key, for those who are to trust it: %s\n", public)
	}
	return errors.Join(err, a.Close())
}

// megabytes are the decimal ones of the bundle's promise.
func megabytes(bytes int64) string {
	if bytes < 100_000 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// buildDisplay shows a build: JSON lines, a moving line per work in hand on a terminal
// with what is finished above, or a line per event.
type buildDisplay struct {
	mu      sync.Mutex
	out     io.Writer
	encoder *json.Encoder
	screen  *liveArea // nil where there is no terminal
	running map[string]build.Progress
	last    time.Time
}

func newBuildDisplay(format string, out io.Writer) *buildDisplay {
	d := &buildDisplay{out: out, running: map[string]build.Progress{}}
	if format == formatJSON {
		d.encoder = json.NewEncoder(out)
	} else if screen := terminal(out); screen != nil {
		d.screen = &liveArea{out: screen}
	}
	return d
}

func (d *buildDisplay) progress(p build.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := string(p.Stage) + " " + p.Name
	switch p.State {
	case build.Started, build.Moving:
		d.running[name] = p
	default:
		delete(d.running, name)
	}
	switch {
	case d.encoder != nil:
		_ = d.encoder.Encode(p) // a reader that went away stops no build
	case d.screen != nil:
		d.draw(p)
	case p.State != build.Moving:
		_, _ = io.WriteString(d.out, buildLine(p)+"\n")
	}
}

// draw puts a finished work above the moving lines; these are drawn ten times a second
// at most.
func (d *buildDisplay) draw(p build.Progress) {
	moving := p.State == build.Started || p.State == build.Moving
	if moving && time.Since(d.last) < 100*time.Millisecond {
		return
	}
	d.last = time.Now()
	finished := ""
	if !moving {
		finished = buildLine(p)
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(d.running)) {
		lines = append(lines, buildLine(d.running[name]))
	}
	d.screen.draw(finished, lines)
}

// close leaves no moving line behind.
func (d *buildDisplay) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.screen != nil {
		d.screen.draw("", nil)
	}
}

func buildLine(p build.Progress) string {
	elapsed := p.Elapsed.Round(100 * time.Millisecond)
	switch p.State {
	case build.Started:
		return fmt.Sprintf("… %-8s %s", p.Stage, p.Name)
	case build.Moving:
		return fmt.Sprintf("… %-8s %-20s %6s  %s", p.Stage, p.Name, p.Elapsed.Round(time.Second), p.Detail)
	case build.Cached:
		return fmt.Sprintf("· %-8s %-20s %9s  from the cache", p.Stage, p.Name, megabytes(p.Bytes))
	case build.Failed:
		return fmt.Sprintf("✗ %-8s %-20s after %s", p.Stage, p.Name, elapsed)
	default:
		line := fmt.Sprintf("✓ %-8s %-20s %9s  %s", p.Stage, p.Name, megabytes(p.Bytes), elapsed)
		if p.Processor > 0 {
			line += fmt.Sprintf(", %s of a processor", p.Processor.Round(100*time.Millisecond))
		}
		return line
	}
}

// inspection is what inspect shows.
type inspection struct {
	Path      string            `json:"path"`
	Digest    string            `json:"digest"`
	Size      int64             `json:"size"`
	Signature archive.Signature `json:"signature"`
	Bill      bundle.Bill       `json:"bill"`
}

func inspect(a *archive.Archive) (inspection, error) {
	info, err := os.Stat(a.Path())
	if err != nil {
		return inspection{}, fmt.Errorf("inspect bundle: %w", err)
	}
	return inspection{Path: a.Path(), Digest: a.Digest(), Size: info.Size(), Signature: a.Signature(), Bill: a.Bill()}, nil
}

// newBundleReader is a command that reads a bundle; keys tells that some were named, by one of
// which it has to be signed.
func newBundleReader(use, short string, read func(command *cobra.Command, format string, a *archive.Archive, keys bool) error) *cobra.Command {
	var trusted []string
	command := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1)}
	addTrustedKey(command, &trusted)
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		return withBundle(args[0], trusted, func(a *archive.Archive) error { return read(command, *format, a, len(trusted) > 0) })
	}
	return command
}

func newBundleInspectCommand() *cobra.Command {
	return newBundleReader("inspect FILE", "Show what a bundle holds: components, images, sets, digests and sizes",
		func(command *cobra.Command, format string, a *archive.Archive, keys bool) error {
			seen, err := inspect(a)
			if err != nil {
				return err
			}
			if err := show(command.OutOrStdout(), format, seen, func(w io.Writer) error { return showInspection(w, seen) }); err != nil {
				return err
			}
			if keys && seen.Signature.State != archive.SignatureTrusted {
				return fmt.Errorf("inspect %s: %w: %s", seen.Path, archive.ErrSignature, seen.Signature)
			}
			return nil
		})
}

func addTrustedKey(command *cobra.Command, trusted *[]string) {
	command.Flags().StringArrayVar(trusted, "trusted-key", nil, "demand a signature by this Ed25519 public key (PEM); may be given again")
	_ = command.MarkFlagFilename("trusted-key", "pem", "pub")
}

// withBundle opens a bundle for one use. Where no keys are named, the operator's own folder
// of trusted keys tells who is trusted.
func withBundle(path string, trusted []string, use func(*archive.Archive) error) error {
	known, err := workflow.OwnTrust()
	if len(trusted) > 0 {
		known.Keys, err = workflow.ReadTrustedKeys(trusted)
	}
	if err != nil {
		return err
	}
	a, err := archive.Open(path, archive.Trust(known.Keys...))
	if err != nil {
		return err
	}
	return errors.Join(use(a), a.Close())
}

func showInspection(w io.Writer, seen inspection) error {
	bill := seen.Bill
	fmt.Fprintf(w, "%s\n  %s, %s\n  Kubernetes %s, Slipway %s, %s, from %s\n  %s\n", seen.Path, megabytes(seen.Size), seen.Digest,
		bill.KubernetesVersion, bill.SlipwayVersion, bill.Platform, bill.Source, seen.Signature)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "\nCOMPONENT\tVERSION\tUNPACKED\tORIGIN\tSUM\tLICENCE")
	for _, c := range bill.Components {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, c.Version, megabytes(c.Size), c.Origin, dash(c.Sum), dash(c.License))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(table, "\nIMAGE\tMANIFEST\tSTORED\tLAYERS")
	for _, image := range bill.Images {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", image.Reference(bundle.DefaultImageRepository), image.Manifest.Digest, megabytes(stored(image.Blobs())), len(image.Layers))
	}
	fmt.Fprintln(table, "\nSET\tFILES\tSTORED\tLAYERS")
	for _, set := range bill.Sets {
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\n", set.Name, len(set.Files), megabytes(stored(set.Layers)), len(set.Layers))
	}
	fmt.Fprintln(table, "\nBLOB\tSTORED\tPART OF")
	for _, blob := range bill.Blobs() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", blob.Digest, megabytes(blob.Size), strings.Join(bill.Owners(blob.Digest), ", "))
	}
	fmt.Fprintf(table, "\t%s\ttotal\n", megabytes(stored(bill.Blobs())))
	return table.Flush()
}

func stored(blobs []bundle.Blob) int64 {
	var sum int64
	for _, blob := range blobs {
		sum += blob.Size
	}
	return sum
}

func newBundleVerifyCommand() *cobra.Command {
	return newBundleReader("verify FILE", "Check every byte of a bundle, and its signature",
		func(command *cobra.Command, format string, a *archive.Archive, _ bool) error {
			if err := a.Verify(command.Context()); err != nil {
				return err
			}
			bill := a.Bill()
			blobs := bill.Blobs()
			value := map[string]any{"path": a.Path(), "digest": a.Digest(), "blobs": len(blobs), "bytes": stored(blobs), "signature": a.Signature()}
			return show(command.OutOrStdout(), format, value, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %d blobs, %s, every one as its digest says; %s\n", a.Path(), len(blobs), megabytes(stored(blobs)), a.Signature())
				return err
			})
		})
}
