package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func (s *Smoke) job(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/job", smokeData{App: "job"}); err != nil {
		return "", err
	}
	key := s.key("batch/v1", "Job", "job")
	return "completed", s.until(ctx, key, "Job job to complete", func(ctx context.Context) (bool, string, error) {
		var job batchv1.Job
		found, err := s.get(ctx, key, &job)
		return found && job.Status.Succeeded > 0, fmt.Sprintf("%d of its Pods run, %d failed", job.Status.Active, job.Status.Failed), err
	})
}

// cronJob has a CronJob look as if it had last run minutes ago: its controller then has missed a
// time, and makes the Job now. A schedule knows nothing shorter than a minute.
func (s *Smoke) cronJob(ctx context.Context) (string, error) {
	if err := s.make(ctx, "smoke/cron", smokeData{App: "cron"}); err != nil {
		return "", err
	}
	key := s.key("batch/v1", "CronJob", "cron")
	last, err := json.Marshal(map[string]any{"status": map[string]any{"lastScheduleTime": metav1.NewTime(s.now().Add(-2 * time.Minute))}})
	if err != nil {
		return "", err
	}
	err = s.c.persist(ctx, nil, func(ctx context.Context) error {
		_, err := s.c.typed.BatchV1().CronJobs(s.Namespace()).Patch(ctx, "cron", types.MergePatchType, last, metav1.PatchOptions{FieldManager: FieldManager}, "status")
		return err
	})
	if err != nil {
		return "", &brokenPromise{object: key, err: err}
	}
	return "made a Job by its schedule", s.until(ctx, key, "CronJob cron's Job to complete", func(ctx context.Context) (bool, string, error) {
		var cron batchv1.CronJob
		if _, err := s.get(ctx, key, &cron); err != nil {
			return false, "", err
		}
		switch {
		case cron.Status.LastSuccessfulTime != nil:
			return true, "", nil
		case len(cron.Status.Active) > 0:
			return false, "its Job " + cron.Status.Active[0].Name + " runs", nil
		}
		return false, "its controller has made no Job", nil
	})
}

// now is what the API servers' clocks show.
func (s *Smoke) now() time.Time {
	now := time.Now()
	if ahead := s.c.clock.offsetOrNil(); ahead != nil {
		now = now.Add(*ahead)
	}
	return now
}
