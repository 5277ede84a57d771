package api

import (
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// silence keeps client-go from writing to stderr: a library does not print, and what it
// would say of a failed request is in the request's error.
var silence = sync.OnceFunc(func() { klog.SetLogger(logr.Discard()) })
