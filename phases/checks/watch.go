package checks

// Look takes one look in. Looks come in the order of time.
func (w *Watch) Look(look Look) Verdict {
	w.looks++
	if w.looks == 1 {
		// What is there at first is no news, but the wait has only begun.
		w.moved[""] = look.After
	}
	w.see(look)
	verdict := Verdict{Busy: w.busy}
	verdict.Moved = w.lastMoved("")
	w.judge(look, &verdict)
	w.last = look
	return verdict
}
