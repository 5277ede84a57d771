package cluster

// mostKept bounds what hosts keep: each version takes a few hundred megabytes.
const mostKept = 9

func (k *checker) upgrade(u Upgrade) {
	if u.KeepVersions != nil && (*u.KeepVersions < 1 || *u.KeepVersions > mostKept) {
		k.wrong("upgrade.keepVersions", "write a number from 1 to 9: without the version from before, a failed upgrade cannot be taken back",
			"%d is not possible", *u.KeepVersions)
	}
}
