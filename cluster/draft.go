package cluster

// Draft reads a Cluster file that need not be complete: it gives what can be read of it, with
// defaults, and everything that Load would find wrong with it. The error is a *SyntaxError where
// the file is not YAML; there is no other. A file that is empty, or of another kind, is an empty draft.
func Draft(data []byte) (*Cluster, []Problem, error) {
	return DraftFor(data, DefaultKubernetesVersion)
}

// DraftFor is Draft where a file that names no Kubernetes version means the one given: that of
// the bundle.
func DraftFor(data []byte, kubernetes string) (*Cluster, []Problem, error) {
	found, err := documents(data)
	if err != nil {
		return nil, nil, err
	}
	d := newDecoder()
	trees := d.resolve(found)
	if d.tooLarge || len(trees) > 0 && !d.isCluster(trees[0]) {
		c := new(Cluster)
		c.complete(kubernetes)
		return c, d.sorted(nil), nil
	}
	c := d.cluster(trees)
	c.complete(kubernetes)
	return c, d.sorted(findings(c)), nil
}

func (c *Cluster) complete(kubernetes string) {
	setDefault(&c.KubernetesVersion, kubernetes)
	Defaults(c)
}
