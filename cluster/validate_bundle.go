package cluster

func (k *checker) bundle(bundle Bundle) {
	const path = "bundle.trustedKeyFiles"
	seen := map[string]int{}
	for i, file := range bundle.TrustedKeyFiles {
		if file == "" {
			k.wrong(index(path, i), "write the name of a file with a public key, such as release.pub", "is empty")
		}
		k.once(seen, file, i, index(path, i), path)
	}
}
