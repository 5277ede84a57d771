package workflow

// lease is the hosts' lease: one operator at a time works on them.
type lease struct {
	first   bool   // it is taken before hosts are looked at
	release func() // gives it back; nil where it is not held
}

func (l *lease) held() bool { return l.release != nil }

func (l *lease) giveBack() {
	if l.held() {
		l.release()
	}
	l.release = nil
}
