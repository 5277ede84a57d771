package bundle

// Blobs lists every distinct blob that the bill names, in the bill's order. Layers that
// images and sets share are there once.
func (b *Bill) Blobs() []Blob {
	var blobs []Blob
	seen := map[string]bool{}
	add := func(more ...Blob) {
		for _, blob := range more {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				blobs = append(blobs, blob)
			}
		}
	}
	for _, image := range b.Images {
		add(image.Blobs()...)
	}
	for _, set := range b.Sets {
		add(set.Layers...)
	}
	for _, document := range b.Documents {
		add(document.Blob)
	}
	return blobs
}

// Owners names what a blob is part of, for messages: images, sets and documents.
func (b *Bill) Owners(digest string) []string {
	var owners []string
	for _, image := range b.Images {
		if holds(image.Blobs(), digest) {
			owners = append(owners, "image "+image.Name)
		}
	}
	for _, set := range b.Sets {
		if holds(set.Layers, digest) {
			owners = append(owners, "set "+set.Name)
		}
	}
	for _, document := range b.Documents {
		if document.Digest == digest {
			owners = append(owners, "document "+document.Name)
		}
	}
	return owners
}

// ComponentsOf names the components whose files lie in the layer of that digest.
func (b *Bill) ComponentsOf(layer string) []string {
	var names []string
	seen := map[string]bool{}
	for _, set := range b.Sets {
		for _, file := range set.Files {
			if file.Layer == layer && !seen[file.Component] {
				seen[file.Component] = true
				names = append(names, file.Component)
			}
		}
	}
	return names
}

func holds(blobs []Blob, digest string) bool {
	for _, blob := range blobs {
		if blob.Digest == digest {
			return true
		}
	}
	return false
}
