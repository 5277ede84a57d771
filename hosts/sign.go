package hosts

// Sign is how one of the things stands that a wait may be for, in numbers: by two looks at it one sees
// whether it moves. It comes with Evidence, and is of the same sources or of SourceImages.
type Sign struct {
	Source string `json:"source"`
	// State is created, running or ended of a container, and systemd's words of a unit: active (running).
	State string `json:"state,omitempty"`
	// Attempt is how often it was started before.
	Attempt int `json:"attempt,omitempty"`
	// Seconds is how long it has been in its state, by the host's clock.
	Seconds float64 `json:"seconds,omitempty"`
	// CPU is how many seconds of a processor's time it has used since its start; 0 where that is not known.
	CPU float64 `json:"cpu,omitempty"`
	// Log is its log's size, in bytes; it begins anew where a log is rotated. 0 where that is not known.
	Log int64 `json:"log,omitempty"`
	// Fetched is how many bytes have come of the images that are being fetched.
	Fetched int64 `json:"fetched,omitempty"`
	// Ended is how it ended or, where it was started again, its attempt before. Nil where none has.
	Ended *Ending `json:"ended,omitempty"`
}

// SourceImages is containerd's store of images.
const SourceImages = "images"

// The states of a container.
const (
	StateCreated = "created"
	StateRunning = "running"
	StateEnded   = "ended"
)

// Ending is how a container ended.
type Ending struct {
	Code   int     `json:"code"`
	Reason string  `json:"reason,omitempty"` // the runtime's: Error, OOMKilled, Completed
	Ran    float64 `json:"ran"`              // for how many seconds
}

// Clean is the sign with its texts as CleanLine leaves them.
func (s Sign) Clean() Sign {
	s.Source, s.State = CleanLine(s.Source), CleanLine(s.State)
	if s.Ended != nil {
		ended := *s.Ended
		ended.Reason = CleanLine(ended.Reason)
		s.Ended = &ended
	}
	return s
}
