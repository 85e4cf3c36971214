package auth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// A use is something in the program's text that could make a session, and the
// function that it stands in.
type use struct{ what, in string }

// TestEverySessionPassesEstablishSession reads the program: cookies are set in
// one function, which establishSession alone calls for the session's cookie
// with a key in it, and sessions' keys are minted nowhere else.
func TestEverySessionPassesEstablishSession(t *testing.T) {
	var found []use
	files := 0
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil { // somebody is writing it
			t.Errorf("%s cannot be read: %v", name, err)
			return nil
		}
		files++
		found = append(found, uses(file, path.Dir(name) == "internal/auth")...)
		return nil
	})
	if err != nil || files < 40 {
		t.Fatalf("%d files, %v: the test looks in the wrong place", files, err)
	}
	want := []use{
		{"cookie literal", "SetTheme"}, // of the pages: remembers light or dark, and holds no key
		{"cookie literal", "setCookie"},
		{"http.SetCookie", "SetTheme"},
		{"http.SetCookie", "setCookie"},
		{"mints a session", "establishSession"},
		{"sets sessionCookie", "endSession"}, // removes it
		{"sets sessionCookie", "establishSession"},
		{"sets signInCookie", "Login"},
		{"sets signInCookie", "comeBack"}, // removes it
	}
	slices.SortFunc(found, func(a, b use) int { return strings.Compare(a.what+a.in, b.what+b.in) })
	if !slices.Equal(found, want) {
		t.Errorf("found %v\nwant  %v", found, want)
	}
}

// uses lists what could make a session in a file.
func uses(file *ast.File, auth bool) []use {
	var found []use
	for _, d := range file.Decls {
		in := "the package"
		if f, ok := d.(*ast.FuncDecl); ok {
			in = f.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				of := n.Type
				if list, ok := of.(*ast.ArrayType); ok {
					of = list.Elt
				}
				if selector(of) == "http.Cookie" {
					found = append(found, use{"cookie literal", in})
				}
			case *ast.BasicLit:
				if strings.EqualFold(strings.Trim(n.Value, "`\""), "Set-Cookie") {
					found = append(found, use{"the header itself", in})
				}
			case *ast.CallExpr:
				name := selector(n.Fun)
				switch {
				case name == "http.SetCookie":
					found = append(found, use{name, in})
				case auth && strings.HasSuffix(name, ".NewSession"):
					found = append(found, use{"mints a session", in})
				case strings.HasSuffix(name, ".setCookie") && len(n.Args) > 1:
					found = append(found, use{"sets " + selector(n.Args[1]), in})
				}
			}
			return true
		})
	}
	return found
}

// selector is a name, or the last two of a chain.
func selector(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return selector(e.X)
	case *ast.SelectorExpr:
		if _, ok := e.X.(*ast.Ident); ok {
			return selector(e.X) + "." + e.Sel.Name
		}
		return "." + e.Sel.Name
	}
	return ""
}

// The test above would be worth nothing if it saw nothing.
func TestTheReaderOfTheProgramSeesEveryWay(t *testing.T) {
	const text = `package p
func a() { http.SetCookie(w, nil) }
func b() { _ = &http.Cookie{} }
func c() { w.Header().Add("set-cookie", "x") }
func d() { s.config.NewSession(ctx, mail, name) }
func e() { s.setCookie(w, sessionCookie, x) }
var f = []http.Cookie{{}}
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []use{
		{"http.SetCookie", "a"}, {"cookie literal", "b"}, {"the header itself", "c"}, {"mints a session", "d"}, {"sets sessionCookie", "e"}, {"cookie literal", "the package"},
	}
	if got := uses(file, true); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
