package workflow

import "github.com/slipway-k8s/slipway/hosts/ssh"

// Secret is a question whose answer is not shown while it is typed, unless it says so.
type Secret = ssh.Question

// ErrNobody is in the error of an AskSecret that has nobody to ask.
var ErrNobody = ssh.ErrNobody

// AskSecret puts such a question. It may be called from several goroutines.
type AskSecret = ssh.Ask
