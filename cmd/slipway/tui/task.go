package tui

import "github.com/slipway-k8s/slipway/workflow"

// task is a workflow that is to be carried out.
type task struct {
	file, bundle string
	workflow     workflow.Workflow
	request      workflow.Request
	form         bool // a form lies below, which is left with the job where all went well
	// before is called first, beside the program; it may be nil.
	before func()
	// then is called when it was carried out, and gives the screen that follows, if one does.
	then func() screen
}

// typed is the command that does the same as a task.
func typed(t task) string {
	run, err := workflow.New(t.workflow, t.request)
	if err != nil {
		return ""
	}
	return run.Typed(t.file, t.bundle)
}
