package workflow

// All are the workflows there are. Commands, 'slipway plan NAME', help and completion come from it.
var All = []Workflow{Init, Join, Prepare, Reset, Remove, ImageLoad, HATest}
