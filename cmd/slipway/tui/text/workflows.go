package text

// shorts are what workflows do, in Chinese; in English package workflow says it.
var shorts = map[string]string{
	"init":             "在集群文件的主机上建立集群",
	"join":             "让文件中尚未加入的主机加入集群",
	"prepare":          "在主机上准备好所需的一切，但不加入集群",
	"reset":            "让主机离开集群，并撤销 Slipway 在其上所做的一切",
	"remove":           "将已损毁的主机移出集群，不与其通信",
	"image load":       "将您自己的镜像放到所有主机上，无需镜像仓库",
	"ha test":          "移动访问入口的地址，依次停用各控制平面，并测量",
	"upgrade apply":    "逐台主机将集群升级到安装包的版本",
	"upgrade rollback": "将集群恢复到上次升级之前的版本",
	"cordon":           "不让新的 Pod 调度到主机上",
	"drain":            "让主机上的 Pod 在别处运行，并预先说明阻碍",
	"uncordon":         "让主机重新接受 Pod",
	"stop":             "按不丢失数据的顺序停止整个集群",
	"start":            "启动已停止的集群，并等待其正常",
	"reboot":           "逐台重启主机，并确认每台恢复正常",
	"smoke":            "检验集群是否可用（Deployment、Service、DNS、卷等），每项一行，并清理",
}

// Short is what the workflow of this name does; english is how package workflow says it, and is what there is where the
// language has nothing of its own.
func (l Language) Short(name, english string) string {
	if said, has := shorts[name]; has && l == Chinese {
		return said
	}
	return english
}
