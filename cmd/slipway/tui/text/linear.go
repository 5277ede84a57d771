package text

// The accessible mode: questions and answers, line by line.
var (
	LinWelcome    = add("Slipway, line by line. An empty answer takes what stands in brackets; q leaves.", "Slipway 逐行模式。直接回车采用方括号中的内容，输入 q 离开。")
	LinNumber     = add("Number", "编号")
	LinBad        = add("That is none of these.", "无此选项。")
	LinHosts      = add("Hosts, one on each line, a name, an address or both; an empty line ends the list.", "主机，每行一台，可写名称、地址或两者；空行结束。")
	LinHostLine   = add("Host", "主机")
	LinTrying     = add("Trying hosts: %d …", "正在尝试 %d 台主机……")
	LinRoles      = add("Roles of %s (control-plane, worker, load-balancer; with commas)", "%s 的角色（control-plane、worker、load-balancer，用逗号分隔）")
	LinTrust      = add("Is this key right, so that it may be written to %s?", "此密钥是否正确，可写入 %s？")
	LinGoOn       = add("Go on all the same?", "仍要继续吗？")
	LinTryAgain   = add("Try again?", "再试一次？")
	LinWrite      = add("Write this file?", "写入此文件？")
	LinInstall    = add("Look at the hosts and plan the installation?", "查看主机并计划安装？")
	LinKubeconfig = add("Put a kubeconfig into yours?", "写入您的 kubeconfig？")
	LinYesNo      = add("y or n", "y 或 n")
	LinOptions    = add("Options (number to change, empty to go on)", "选项（输入编号修改，直接回车继续）")
	LinStatus     = add("show how the cluster is", "显示集群状态")
)
