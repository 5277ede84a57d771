package bundle

import "fmt"

// PlatformError says that a bundle's binaries do not run on a host.
type PlatformError struct{ Bundle, Host Platform }

func (e *PlatformError) Error() string {
	return fmt.Sprintf("the bundle is for %s, the host is %s", e.Bundle, e.Host)
}

// KubernetesVersionError says that a bundle holds another Kubernetes than is wanted.
type KubernetesVersionError struct{ Bundle, Wanted string }

func (e *KubernetesVersionError) Error() string {
	return fmt.Sprintf("the bundle holds Kubernetes %s, wanted is %s", e.Bundle, e.Wanted)
}

// Runs says whether the bundle's binaries run on that platform.
func (b *Bill) Runs(host Platform) error {
	if b.Platform != host {
		return &PlatformError{Bundle: b.Platform, Host: host}
	}
	return nil
}

// Serves says whether the bundle holds that version of Kubernetes, given with a leading v.
func (b *Bill) Serves(kubernetesVersion string) error {
	if b.KubernetesVersion != kubernetesVersion {
		return &KubernetesVersionError{Bundle: b.KubernetesVersion, Wanted: kubernetesVersion}
	}
	return nil
}
