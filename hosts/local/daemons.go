package local

import (
	"context"
	"io"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// Systemd is what a Host asks of the host's init.
type Systemd interface {
	// Manager is systemd's version and the system's state.
	Manager(ctx context.Context) (hosts.Systemd, error)
	// Environment are the variables that services get, NAME=value each; none where systemd does not run.
	Environment(ctx context.Context) ([]string, error)
	// Unit is a unit's state; one that does not exist is not-found, not an error.
	Unit(ctx context.Context, name string) (UnitState, error)
	// List names the loaded units that match the patterns.
	List(ctx context.Context, patterns ...string) ([]string, error)
	// Reload makes systemd read its unit files again.
	Reload(ctx context.Context) error
	// Change enables, disables, masks or unmasks a unit.
	Change(ctx context.Context, change UnitChange, name string) error
	// Run starts, stops, restarts or reloads a unit and waits for the job.
	Run(ctx context.Context, job UnitJob, name string) error
	// Reboot asks for an orderly reboot, and does not wait for it.
	Reboot(ctx context.Context) error
	// Journal is the unit's last lines.
	Journal(ctx context.Context, name string, lines int) ([]string, error)
	Close() error
}

// UnitState is what systemd says of a unit.
type UnitState struct {
	Load        string
	Active      string
	Sub         string
	Enabled     string
	Fragment    string // the unit file
	Source      string // what a generator made that file of
	Restarts    int
	NeedsReload bool      // its files changed since systemd read them
	Changed     time.Time // when it came into its state; zero where systemd does not say
	PID         int       // of its main process; 0 where there is none
}

// UnitJob is what systemd can do with a unit.
type UnitJob string

// The jobs.
const (
	JobStart   UnitJob = "start"
	JobStop    UnitJob = "stop"
	JobRestart UnitJob = "restart"
	JobReload  UnitJob = "reload"
)

// UnitChange is what systemd can do with a unit's files.
type UnitChange string

// The changes.
const (
	UnitEnable  UnitChange = "enable"
	UnitDisable UnitChange = "disable"
	UnitMask    UnitChange = "mask"
	UnitUnmask  UnitChange = "unmask"
)

// Containerd is what a Host asks of containerd, always in the k8s.io namespace. Images have
// their full names here, as containerd's CRI plugin has them.
type Containerd interface {
	// Images gives, for those references that are complete, unpacked and pinned, the
	// digest of the manifest. A containerd that does not run has none.
	Images(ctx context.Context, references []string) (map[string]string, error)
	// Load puts an image into the store, out of blobs that open gives by digest.
	Load(ctx context.Context, image hosts.LoadImage, open func(string) (io.ReadCloser, error), counted func(int64)) error
	// Name gives what the store has by one name another name too, in place of what has that.
	Name(ctx context.Context, reference, name string) error
	// ImageInUse tells whether a container, which may have ended, was made of an image.
	ImageInUse(ctx context.Context, reference string) (bool, error)
	// Unpin lets the kubelet's image garbage collection take an image.
	Unpin(ctx context.Context, reference string) error
	// Unload removes an image while its manifest has this digest; one that is gone, or another by
	// now, is no error.
	Unload(ctx context.Context, reference, digest string) error
	// Pods names every sandbox and container that there is.
	Pods(ctx context.Context) ([]string, error)
	// StopPods stops and removes all of them; their containers have grace to end by themselves.
	StopPods(ctx context.Context, grace time.Duration, note func(string)) error
	// Running names those Pods of kube-system, of the ones named, that run.
	Running(ctx context.Context, names []string) ([]string, error)
	// EndPods asks the containers of these Pods to end, kills those that have not within
	// grace, and removes the Pods.
	EndPods(ctx context.Context, names []string, grace time.Duration, note func(string)) error
	// Containers lists the containers, without sandboxes, with how they are.
	Containers(ctx context.Context) ([]Container, error)
	// Fetched is how many bytes have come of the images that are being fetched.
	Fetched(ctx context.Context) (int64, error)
	Close() error
}

// Container is one container as CRI shows it.
type Container struct {
	Pod      string // namespace/name
	Name     string
	Running  bool
	ExitCode int32
	Reason   string
	Attempt  uint32
	Log      string // path
	Created  time.Time
	Started  time.Time     // zero: it has not started
	Finished time.Time     // zero: it has not ended
	CPU      time.Duration // that it has used; 0 where that is not known
}
