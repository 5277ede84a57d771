// Package phases plans: it holds what should be (manifests) against what is seen (hosts'
// facts) and puts the difference in an order, as data.
//
// Its files lie on floors, each of which uses only those below it:
//
//	init.go, join.go, reset.go …      the workflows: lists of phases
//	install.go, control_plane.go …    the phases, one a file
//	files.go, units.go, images.go …   what steps there are to bring a host to its state
//	compare.go, certs.go, objects.go  whether something is as it should be
//	draft.go, match.go, edges.go      the plan so far, and what of it a step waits for
//	input.go                          what a plan depends on
//
// It is pure: it touches no host, no clock and no file.
package phases
