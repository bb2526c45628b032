package conf

import (
	"fmt"
	"time"
)

// Date is a day of the calendar, written 2027-01-31.
type Date struct {
	Year       int
	Month      time.Month
	DayOfMonth int
}

// ConfType describes dates.
func (*Date) ConfType() Type {
	return Type{
		Name:    "date",
		Unit:    "year-month-day",
		Pattern: `^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`,
		Example: "2027-01-31",
	}
}

// ParseConf reads a day that the calendar has.
func (d *Date) ParseConf(text string) error {
	day, err := time.Parse(time.DateOnly, text)
	if err == nil {
		d.Year, d.Month, d.DayOfMonth = day.Date()
		return nil
	}
	var year, month, dayOfMonth int
	if len(text) == len(time.DateOnly) {
		if n, _ := fmt.Sscanf(text, "%4d-%2d-%2d", &year, &month, &dayOfMonth); n == 3 {
			return fmt.Errorf("%q is not in the calendar; write a day like %q", text, "2027-01-31")
		}
	}
	return fmt.Errorf("%q is not a date; write it as year-month-day, like %q", text, "2027-01-31")
}

// Day returns the beginning of the day, UTC.
func (d Date) Day() time.Time {
	return time.Date(d.Year, d.Month, d.DayOfMonth, 0, 0, 0, 0, time.UTC)
}

// String returns d as ParseConf reads it.
func (d Date) String() string { return d.Day().Format(time.DateOnly) }
