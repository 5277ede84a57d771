package engine_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

const mega = 1 << 20

func TestSmallContentGoesInOneUpload(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.put("x", 10)
		s.put("y", 256<<10)
		s.begin(t.Context(), write("a/1", work, "x"), write("a/2", images, "y"), write("a/3", "third", "x"), step("a/4", "fourth"))
		s.now("upload a x,y", "a/4") // what needs no content does not wait for it
		s.end("upload a x,y", nil)
		s.now("a/1", "a/2", "a/3", "a/4")
		for _, id := range []string{"a/1", "a/2", "a/3", "a/4"} {
			s.end(id, nil)
		}
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLargeContentComesInTheOrderOfNeed(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.put("small", 10)
		for _, ref := range []string{"first", "second", "late"} {
			s.put(ref, mega)
		}
		s.begin(
			t.Context(),
			step("b/1", work),
			write("a/late", images, "late", plan.All("b/1")), // first in the plan, but it waits for b
			write("a/1", work, "small"), write("a/2", "second", "first"), write("a/3", "third", "second"),
		)
		s.now("b/1", "upload a small")
		s.end("upload a small", nil)
		s.now("b/1", "a/1", "upload a first")
		s.end("upload a first", nil)
		s.now("b/1", "a/1", "a/2", "upload a second") // the network stays busy while a/2 works
		s.end("upload a second", nil)
		s.now("b/1", "a/1", "a/2", "a/3", "upload a late") // and brings what comes later
		s.end("upload a late", nil)
		s.now("b/1", "a/1", "a/2", "a/3")
		for _, id := range []string{"b/1", "a/1", "a/2", "a/3"} {
			s.end(id, nil)
		}
		s.now("a/late")
		s.end("a/late", nil)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestImageBringsOnlyWhatIsNotThereYet(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		for _, ref := range []string{"shared", "own"} {
			s.put(ref, mega)
		}
		for _, ref := range []string{"manifest-1", "manifest-2"} {
			s.put(ref, 100)
		}
		image := func(id, manifest string, layers ...string) plan.Step {
			load := hosts.LoadImage{Reference: id, Manifest: hosts.ImageBlob{Digest: manifest}}
			for _, layer := range layers {
				load.Blobs = append(load.Blobs, hosts.ImageBlob{Digest: layer})
			}
			one := step(id, images)
			one.Action = load
			return one
		}
		s.begin(t.Context(), image("a/1", "manifest-1", "shared"), image("a/2", "manifest-2", "shared", "own"))
		s.now("upload a manifest-1,manifest-2")
		s.end("upload a manifest-1,manifest-2", nil)
		s.now("upload a shared")
		s.end("upload a shared", nil)
		s.now("a/1", "upload a own")
		s.end("a/1", nil)
		s.end("upload a own", nil)
		s.now("a/2")
		s.end("a/2", nil)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLargeUploadsAreBounded(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.uploads = 2
		s.put("big", mega)
		s.begin(t.Context(), write("a/1", work, "big"), write("b/1", work, "big"), write("c/1", work, "big"))
		s.now("upload a big", "upload b big")
		s.end("upload a big", nil)
		s.now("a/1", "upload b big", "upload c big")
		s.end("upload b big", nil)
		s.end("upload c big", nil)
		s.now("a/1", "b/1", "c/1")
		for _, id := range []string{"a/1", "b/1", "c/1"} {
			s.end(id, nil)
		}
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFailedUploadFailsWhatNeedsItAndNothingElse(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.put("small", 10)
		s.put("big", mega)
		s.begin(t.Context(), write("a/1", work, "big"), step("a/2", work), write("a/3", images, "small"))
		s.now("upload a small")
		s.end("upload a small", nil)
		s.now("a/3", "upload a big")
		s.end("upload a big", &hosts.Error{Kind: hosts.KindDiskFull, Op: "store", Err: errBroken})
		s.now("a/3")
		s.end("a/3", nil)
		var run *engine.RunError
		if err := s.result(); !errors.As(err, &run) {
			t.Fatalf("no RunError: %v", err)
		}
		if len(run.Failed) != 1 || run.Failed[0].Step != "a/1" || run.Failed[0].Action != "upload" || run.Failed[0].Fix == "" {
			t.Errorf("a/1 should have failed for its upload: %+v", run.Failed)
		}
		if len(run.Skipped) != 1 || run.Skipped[0].Step != "a/2" {
			t.Errorf("a/2 should be skipped: %+v", run.Skipped)
		}
	})
}

func TestNothingIsUploadedForSkippedSteps(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.put("big", mega)
		s.put("other", mega)
		s.begin(t.Context(), write("a/0", images, "other"), step("a/1", work), write("a/2", work, "big"))
		s.now("a/1", "upload a other")
		s.end("a/1", errBroken)
		s.now("upload a other")
		s.end("upload a other", nil)
		s.now("a/0")
		s.end("a/0", nil)
		if s.result() == nil || slices.Contains(s.log, "upload a big") {
			t.Fatalf("a skipped step's content was sent: %v", s.log)
		}
	})
}
