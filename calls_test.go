package slipway_test

import "go/ast"

// calls lists every package.Function that a file names.
func calls(file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if ident, ok := selector.X.(*ast.Ident); ok {
			found = append(found, ident.Name+"."+selector.Sel.Name)
		}
		return true
	})
	return found
}
