package ui

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tokens are the colors of a theme, by name, in the order in which base.css
// has the themes: light, dark by the system, dark by choice.
func tokens(t *testing.T) []map[string][3]float64 {
	t.Helper()
	css, err := assetFiles.ReadFile("assets/base.css")
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`--([a-z0-9-]+): #([0-9a-f]{6});`)
	var out []map[string][3]float64
	for _, part := range strings.Split(string(css), "\tcolor-scheme:")[:3] {
		theme := make(map[string][3]float64)
		for _, m := range token.FindAllStringSubmatch(part, -1) {
			var c [3]float64
			for i := range c {
				n, err := strconv.ParseUint(m[2][2*i:2*i+2], 16, 8)
				if err != nil {
					t.Fatal(err)
				}
				c[i] = float64(n) / 255
			}
			theme[m[1]] = c
		}
		out = append(out, theme)
	}
	return out
}

// luminance is the relative luminance of a color in sRGB (WCAG 2.2).
func luminance(c [3]float64) float64 {
	for i, v := range c {
		if v <= 0.04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
}

// contrast is the contrast ratio of two colors, from 1 to 21 (WCAG 2.2).
func contrast(a, b [3]float64) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrastIsThatOfItsDefinition(t *testing.T) {
	black, white, gray := [3]float64{}, [3]float64{1, 1, 1}, [3]float64{119. / 255, 119. / 255, 119. / 255}
	if c := contrast(black, white); math.Abs(c-21) > 1e-9 {
		t.Errorf("black on white is %v", c)
	}
	if c := contrast(gray, white); math.Abs(c-4.478) > 0.001 {
		t.Errorf("#777 on white is %v", c)
	}
}

// Text has a contrast of 4.5 or more on every surface that it stands on, and
// what carries a meaning without text 3 or more (WCAG 1.4.3, 1.4.11).
func TestEveryColorCanBeReadInEachTheme(t *testing.T) {
	surfaces := []string{"page", "surface", "sunken"}
	themes := tokens(t)
	if len(themes) != 3 || len(themes[1]) < 20 || len(themes[1]) != len(themes[2]) {
		t.Fatalf("there are %d themes", len(themes))
	}
	for i, theme := range themes {
		check := func(least float64, text, on string) {
			a, ok1 := theme[text]
			b, ok2 := theme[on]
			if !ok1 || !ok2 {
				t.Errorf("theme %d has no %s or %s", i, text, on)
			} else if c := contrast(a, b); c < least {
				t.Errorf("theme %d: %s on %s has a contrast of %.2f, less than %v", i, text, on, c, least)
			}
		}
		for _, on := range surfaces {
			for _, text := range []string{"text", "muted", "link", "good", "bad", "warn", "busy", "none", "accent"} {
				check(4.5, text, on)
			}
			for _, line := range []string{"edge", "focus", "series-1", "series-2", "series-3", "series-4", "series-5"} {
				check(3, line, on)
			}
		}
		for _, on := range []string{"added", "removed", "moved", "mark"} {
			check(4.5, "text", on)
		}
		check(4.5, "link", "moved")
		check(4.5, "on-accent", "accent")
	}
	for name, c := range themes[1] {
		if themes[2][name] != c {
			t.Errorf("%s differs between the dark theme of the system and the one that is chosen", name)
		}
	}
}

// All scripts together are at most 200 KB as they are sent.
func TestScriptsAreSmall(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for name, f := range a.files {
		if strings.HasSuffix(name, ".js") {
			all += len(f.small)
		}
	}
	t.Logf("scripts: %d bytes compressed", all)
	if all > 200_000 || all < 10_000 {
		t.Errorf("the scripts are %d bytes", all)
	}
}
