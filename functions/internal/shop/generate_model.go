package shop

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"

	"cloud.google.com/go/civil"
	"gonum.org/v1/gonum/stat/distuv"
)

// A model is the generated shop before any chance enters: its calendar, its customers' habits, its incident. The
// package comment describes it and names its sources.
type model struct {
	from, to civil.Date // the days with orders

	// Buying: each customer's own rate of orders per day is gamma distributed with the mean rateShape / rateScale.
	rateShape, rateScale float64
	// Dropout: after each order a customer leaves for good, with a chance of their own that is beta distributed.
	leaveAlpha, leaveBeta float64

	// Order values are log-normal around the customer's own level, which is log-normal too.
	valueMedian     float64 // in the currency of the shop
	valueAmong      float64 // how far customers differ: standard deviation of the logarithm
	valueFromOrders float64 // how far the orders of one customer differ

	weekly    [7]float64 // by time.Weekday
	christmas float64    // how much more is bought at the height of the Christmas season
	summer    float64    // how much less is bought in the middle of the holidays
	growth    float64    // how many more newcomers come than a year before

	sales         []sale
	hunterReturns float64 // the chance that a bargain hunter becomes a regular customer after all

	countries []country
}

// demonstration is the shop that Generate plays. The habits were fitted so that the queue of 2026-01-12 has the
// volumes that §7.1 expects; what the detection says of a day is never set, it follows from the orders.
var demonstration = model{
	from: civil.Date{Year: 2024, Month: time.January, Day: 2},
	to:   civil.Date{Year: 2026, Month: time.January, Day: 31},

	rateShape: 3.7, rateScale: 108,
	leaveAlpha: 0.16, leaveBeta: 0.155,

	valueMedian: 48, valueAmong: 0.6, valueFromOrders: 0.5,

	weekly:    [7]float64{1.05, 1.10, 1.05, 1, 1, 0.95, 0.85},
	christmas: 0.37, summer: 0.25, growth: 0.28,

	sales: []sale{
		{
			name: "clearance sale", day: civil.Date{Year: 2025, Month: time.December, Day: 12},
			boost: 2.6, loses: 0.8, newcomers: 0.003,
		},
		{
			name: "first-order discount", day: civil.Date{Year: 2025, Month: time.December, Day: 19},
			boost: 1.2, newcomers: 0.055,
		},
	},
	hunterReturns: 0.03,

	countries: []country{
		{"Germany", 0.42},
		{"France", 0.18},
		{"Netherlands", 0.12},
		{"Austria", 0.10},
		{"Belgium", 0.08},
		{"Spain", 0.06},
		{"Italy", 0.04},
	},
}

// A sale is a flash sale of one day whose buyers do not come back: regular customers who stock up, and bargain hunters
// who come for the first time.
type sale struct {
	name      string
	day       civil.Date
	boost     float64 // how many times more the regular customers buy on that day
	loses     float64 // the chance that a regular customer who buys on that day has stocked up and does not come back
	newcomers float64 // bargain hunters, as a share of all customers of the shop
}

type country struct {
	name  string
	share float64
}

// An order of the generated shop. Days count from the model's first.
type order struct {
	day     int
	cents   int64
	country int
}

// A calendar is the model worked out day by day for its whole time.
type calendar struct {
	model
	days     []civil.Date
	season   []float64 // how much is bought on a day, 1 on an average one
	elapsed  []float64 // the sum of season before a day, and before the day after the last
	arrivals []float64 // the share of newcomers up to and including a day
	hunters  []float64 // of a day's newcomers, the share of bargain hunters
	loses    []float64 // the chance that a sale costs its regular buyer
}

func (m model) calendar() *calendar {
	c := &calendar{model: m}
	for day := m.from; !day.After(m.to); day = day.AddDays(1) {
		c.days = append(c.days, day)
	}
	c.elapsed = append(c.elapsed, 0)
	regular := make([]float64, len(c.days))
	total := 0.0
	for i, day := range c.days {
		season := m.weekly[day.Weekday()] * (1 + m.christmas*bell(day, time.December, 5, 14) - m.summer*bell(day, time.August, 1, 25))
		regular[i] = season * math.Pow(1+m.growth, float64(i)/365)
		total += regular[i]
		for _, sale := range m.sales {
			if sale.day == day {
				season *= sale.boost
			}
		}
		c.season = append(c.season, season)
		c.elapsed = append(c.elapsed, c.elapsed[i]+season)
	}
	regularShare := 1.0
	for _, sale := range m.sales {
		regularShare -= sale.newcomers
	}
	sum := 0.0
	for i, day := range c.days {
		arriving := regular[i] / total * regularShare
		hunters, loses := 0.0, 0.0
		for _, sale := range m.sales {
			if sale.day == day {
				hunters, loses = sale.newcomers, sale.loses
			}
		}
		sum += arriving + hunters
		c.arrivals = append(c.arrivals, sum)
		c.loses = append(c.loses, loses)
		c.hunters = append(c.hunters, hunters/(arriving+hunters))
	}
	return c
}

// bell is 1 on a day of the year and falls off to both sides, to 0.61 within so many days.
func bell(day civil.Date, month time.Month, peak int, width float64) float64 {
	away := float64(day.DaysSince(civil.Date{Year: day.Year, Month: month, Day: peak})) / width
	return math.Exp(-away * away / 2)
}

// orders appends the orders of one of so many customers, oldest first. The chances of a customer hang on the seed and
// the customer's number alone, so it does not matter in which order customers are made.
func (c *calendar) orders(orders []order, source *rand.PCG, seed uint64, number, customers int) []order {
	source.Seed(seed, scatter(uint64(number)))
	chance := rand.New(source) //nolint:gosec // a made-up shop needs no secret chance

	// Newcomers are numbered in the order in which they come.
	arrival := (float64(number) + chance.Float64()) / float64(customers) * c.arrivals[len(c.arrivals)-1]
	day := min(sort.SearchFloat64s(c.arrivals, arrival), len(c.days)-1)
	hunter := chance.Float64() < c.hunters[day]

	rate := distuv.Gamma{Alpha: c.rateShape, Beta: c.rateScale, Src: source}.Rand()
	leaves := distuv.Beta{Alpha: c.leaveAlpha, Beta: c.leaveBeta, Src: source}.Rand()
	level := math.Log(c.valueMedian) + c.valueAmong*chance.NormFloat64()
	home := c.home(chance.Float64())

	at := c.elapsed[day] + chance.Float64()*c.season[day]
	for {
		value := math.Exp(level + c.valueFromOrders*chance.NormFloat64())
		orders = append(orders, order{day: day, cents: max(100, int64(math.Round(100*value))), country: home})
		if hunter {
			if chance.Float64() >= c.hunterReturns {
				return orders
			}
			hunter = false
		} else if chance.Float64() < max(leaves, c.loses[day]) {
			return orders
		}
		at += chance.ExpFloat64() / rate
		if at >= c.elapsed[len(c.days)] {
			return orders
		}
		day = sort.SearchFloat64s(c.elapsed, at)
		if c.elapsed[day] > at {
			day--
		}
	}
}

func (c *calendar) home(chance float64) int {
	for i, country := range c.countries {
		chance -= country.share
		if chance < 0 {
			return i
		}
	}
	return 0
}

// scatter spreads consecutive numbers over all 64 bits (the finalizer of SplitMix64), so that the streams of
// neighbouring customers have nothing in common.
func scatter(number uint64) uint64 {
	number += 0x9e3779b97f4a7c15
	number = (number ^ number>>30) * 0xbf58476d1ce4e5b9
	number = (number ^ number>>27) * 0x94d049bb133111eb
	return number ^ number>>31
}
