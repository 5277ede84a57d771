package hosts

// DeprecatedAPIs are APIs of a cluster that are there for a time only, with what still needs them.
type DeprecatedAPIs struct {
	Requested []RequestedAPI
	Stored    []StoredAPI
	Unserved  []UnservedVersion
	// Unasked is what could not be looked at, each with its cause.
	Unasked []string
}

// API is one resource in one version of its group.
type API struct{ Group, Version, Resource string }

func (a API) String() string {
	if a.Group == "" {
		return a.Version + " " + a.Resource
	}
	return a.Group + "/" + a.Version + " " + a.Resource
}

// RequestedAPI is a deprecated API that clients have asked for.
type RequestedAPI struct {
	API
	// Removed is the release that does not serve it any more, such as 1.38; empty where none is named.
	Removed string
	// Servers are the hosts whose API servers have counted requests since they started.
	Servers []string
	// Writers are those who have written objects by this version, as the objects show it. Who only reads
	// leaves no trace there. Unknown says why they are not known, where they are not.
	Writers []Writer
	Unknown string
}

// StaysForGood tells whether an API is deprecated and yet goes nowhere: v1 of the core group has such, and
// Kubernetes' own components, on every cluster, ask for its endpoints.
func (a RequestedAPI) StaysForGood() bool { return a.Group == "" && a.Removed == "" }

// Writer is a client that writes objects, by the name that it gives itself (a field manager).
type Writer struct {
	Manager string
	Objects int
	Some    []string // the first of them, namespace/name
}

// StoredAPI is a resource that is not served any more in any version, and has objects.
type StoredAPI struct {
	API     // in the version that is served now
	Removed string
	Objects int
}

// UnservedVersion is a version of a CustomResourceDefinition in which objects may be stored, and which it
// does not serve any more.
type UnservedVersion struct{ Definition, Version string }
