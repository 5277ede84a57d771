package workflow

// All are the workflows there are. Commands, 'slipway plan NAME', help and completion come from it.
// A further one needs a row here and its file, a planner in phases/NAME.go, its name in
// phases/view/view.go, and its checks in phases/checks/table.go.
var All = []Workflow{Init, Join, Prepare, Reset, Remove, ImageLoad, HATest}
