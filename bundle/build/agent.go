package build

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"path/filepath"

	"github.com/slipway-k8s/slipway/bundle"
)

// makeAgent takes in slipway-agent, checks that it will run on any host of this platform, and
// packs it.
func (b *builder) makeAgent(ctx context.Context, options Options, p *parts) error {
	if err := checkStatic(options.Agent, b.platform); err != nil {
		return fmt.Errorf("take in %s: %w", options.Agent, err)
	}
	digest, size, err := hashFile(options.Agent)
	if err != nil {
		return fmt.Errorf("take in %s: %w", options.Agent, err)
	}
	directory, made, _, err := entry(b.cache, "agent", agentProgram, digest, func(directory string) (compiled, error) {
		bin := filepath.Join(directory, "bin")
		made := compiled{Programs: []builtFile{{Name: agentProgram, Digest: digest, Size: size}}, Size: size}
		if err := copyFile(options.Agent, filepath.Join(bin, agentProgram)); err != nil {
			return made, err
		}
		var err error
		if made.Modules, err = linkedModules(bin, made.Programs); err != nil {
			return made, err
		}
		return made, gatherLicences(ctx, b.modCache, made.Modules, filepath.Join(directory, "licences"))
	})
	if err != nil {
		return fmt.Errorf("take in %s: %w", options.Agent, err)
	}
	made.directory = directory
	p.addCompiled(componentSlipway, options.SlipwayVersion, made)
	packed, err := b.agentLayer(ctx, made)
	if err != nil {
		return err
	}
	p.add(packed)
	return nil
}

// checkStatic reads how a Go binary was built: for this platform, and without cgo, since
// the hosts have other C libraries.
func checkStatic(path string, platform bundle.Platform) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return fmt.Errorf("not a Go binary: %w", err)
	}
	want := map[string]string{"CGO_ENABLED": "0", "GOOS": platform.OS, "GOARCH": platform.Arch}
	for _, setting := range info.Settings {
		if value, checked := want[setting.Key]; checked && value != setting.Value {
			return fmt.Errorf("it was built with %s=%s, a bundle needs %s=%s", setting.Key, setting.Value, setting.Key, value)
		}
	}
	return nil
}
