package chart_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/brief/chart"
)

var update = flag.Bool("update", false, "rewrite the golden pictures")

// largest is what a picture may weigh: a mail carries it to everybody.
const largest = 60_000

func draw(t *testing.T, data brief.Data) chart.Picture {
	t.Helper()
	picture, err := chart.Draw(data)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// cases are the days of the briefs' fixtures, and what else a chart must get over.
func cases() map[string]brief.Data {
	days := map[string]brief.Data{}
	for _, fixture := range brief.Fixtures() {
		days[fixture.Name] = brief.Compose(fixture.Input)
	}
	unread := brief.Fixtures()[0].Input
	unread.Assessment = nil
	days["customers_not_read"] = brief.Compose(unread)
	far := brief.Compose(brief.Fixtures()[1].Input)
	far.Metrics = brief.Metrics{Current: 61.5, HasBaseline: true, Baseline: 3.2, Delta: 1821.88, WarningFrom: 15, CriticalFrom: 25}
	days["far_above"] = far
	low := brief.Compose(brief.Fixtures()[2].Input)
	low.Metrics.Current, low.Metrics.Delta = 20.1, -26.96
	days["far_below"] = low
	return days
}

func TestThePicturesAreAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, data := range cases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := draw(t, data)
			file := filepath.Join("testdata", name+".png")
			if *update {
				if err := os.WriteFile(file, got.PNG, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v: run the test with -update and look at what it drew", err)
			}
			if n := different(decoded(t, want), decoded(t, got.PNG)); n > 0 {
				t.Errorf("%d points differ from %s", n, file)
			}
		})
	}
}

// different counts the points that differ to the eye: processors round the last bit of a curve differently.
func different(a, b image.Image) (points int) {
	if a.Bounds() != b.Bounds() {
		return math.MaxInt
	}
	const visible = 0x0800
	off := func(x, y uint32) bool { return max(x, y)-min(x, y) > visible }
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r, g, bl, _ := a.At(x, y).RGBA()
			r2, g2, bl2, _ := b.At(x, y).RGBA()
			if off(r, r2) || off(g, g2) || off(bl, bl2) {
				points++
			}
		}
	}
	return points
}

func TestAPictureIsSmallAndAsWideAsAMail(t *testing.T) {
	t.Parallel()
	for name, data := range cases() {
		picture := draw(t, data)
		config, err := png.DecodeConfig(bytes.NewReader(picture.PNG))
		if err != nil {
			t.Fatal(err)
		}
		if config.Width != 600 || config.Width != picture.Width || config.Height != picture.Height || len(picture.PNG) > largest {
			t.Errorf("%s: %d×%d in %d bytes, told as %d×%d", name, config.Width, config.Height, len(picture.PNG), picture.Width, picture.Height)
		}
		if again := draw(t, data); !bytes.Equal(picture.PNG, again.PNG) {
			t.Errorf("%s: drawn twice, the bytes differ", name)
		}
	}
}

func TestThePictureInWords(t *testing.T) {
	t.Parallel()
	days := cases()
	got := map[string]string{}
	for name, data := range days {
		got[name] = draw(t, data).Alt
	}
	const queue = ". Customers in the queue: P1 87, P2 312, P3 189."
	want := map[string]string{
		"warning":            "AT_RISK share on 2026-01-12: 25.2%, baseline 21.4% (+17.76%), WARNING from 24.61%, CRITICAL from 26.75%" + queue,
		"critical":           "AT_RISK share on 2026-01-19: 55.45%, baseline 44.32% (+25.12%), WARNING from 50.97%, CRITICAL from 55.4%. Customers in the queue: P1 96, P2 401, P3 204.",
		"info":               "AT_RISK share on 2026-01-05: 28.17%, baseline 27.52% (+2.36%), WARNING from 31.65%, CRITICAL from 34.4%" + queue,
		"empty":              "AT_RISK share on 2026-01-19: 55.45%, baseline 44.32% (+25.12%), WARNING from 50.97%, CRITICAL from 55.4%. Customers in the queue: P1 0, P2 0, P3 0.",
		"faults":             "AT_RISK share on 2026-01-12: 25.2%, no baseline yet. Customers in the queue: P1 3, P2 1, P3 1.",
		"customers_not_read": "AT_RISK share on 2026-01-12: 25.2%, baseline 21.4% (+17.76%), WARNING from 24.61%, CRITICAL from 26.75%. The customers were not read.",
		"far_above":          "AT_RISK share on 2026-01-19: 61.5%, baseline 3.2% (+1821.88%), WARNING from 3.68%, CRITICAL from 4.0%. Customers in the queue: P1 96, P2 401, P3 204.",
		"far_below":          "AT_RISK share on 2026-01-05: 20.1%, baseline 27.52% (-26.96%), WARNING from 31.65%, CRITICAL from 34.4%" + queue,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// zones counts the points in the colours that say WARNING and CRITICAL.
func zones(picture image.Image) (amber, red int) {
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			switch r, g, b, _ := picture.At(x, y).RGBA(); [3]uint32{r >> 8, g >> 8, b >> 8} {
			case [3]uint32{0xfc, 0xd3, 0x8a}:
				amber++
			case [3]uint32{0xf5, 0xa3, 0xa3}:
				red++
			}
		}
	}
	return amber, red
}

func TestWithoutABaselineNothingSaysFineOrBad(t *testing.T) {
	t.Parallel()
	days := cases()
	if amber, red := zones(decoded(t, draw(t, days["warning"]).PNG)); amber == 0 || red == 0 {
		t.Errorf("with a baseline: %d amber and %d red points", amber, red)
	}
	none := brief.Compose(brief.Fixtures()[4].Input)
	zero := days["warning"]
	zero.Metrics.Baseline = 0
	unknown := days["warning"]
	unknown.Metrics.Baseline = brief.Percent(math.NaN())
	for name, data := range map[string]brief.Data{"none": none, "zero": zero, "unknown": unknown} {
		if amber, red := zones(decoded(t, draw(t, data).PNG)); amber+red > 0 {
			t.Errorf("%s: %d amber and %d red points", name, amber, red)
		}
	}
}

func TestAnyFiguresCanBeDrawn(t *testing.T) {
	t.Parallel()
	values := []float64{0, -1, 0.004, 100, 1e9, math.Inf(1), math.NaN()}
	for _, now := range values {
		for _, baseline := range values {
			data := brief.Data{Date: "2026-01-12", Severity: "WARNING", Tiers: make([]brief.Tier, 40), Metrics: brief.Metrics{
				Current: brief.Percent(now), HasBaseline: true, Baseline: brief.Percent(baseline),
				Delta: brief.Change(now), WarningFrom: 15, CriticalFrom: brief.Change(now),
			}}
			if picture := draw(t, data); len(picture.PNG) > largest {
				t.Errorf("%v against %v: %d bytes", now, baseline, len(picture.PNG))
			}
		}
	}
}

func ExamplePicture_HTML() {
	fixture := brief.Fixtures()[4]
	picture, err := chart.Draw(brief.Compose(fixture.Input))
	if err != nil {
		panic(err)
	}
	fmt.Println(picture.HTML("chart"))
	// Output:
	// <img src="cid:chart" width="600" height="282" alt="AT_RISK share on 2026-01-12: 25.2%, no baseline yet. Customers in the queue: P1 3, P2 1, P3 1." style="display:block;max-width:100%;height:auto;border:0">
}
