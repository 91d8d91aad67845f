package registry

import (
	"log/slog"
	"strconv"
)

// What has secrets says only whose it is, in whatever log it ends.

// String is "platform:7".
func (p Platform) String() string { return p.subject() }

// LogValue implements [slog.LogValuer].
func (p Platform) LogValue() slog.Value { return slog.StringValue(p.String()) }

// String names the platform that is applied for.
func (a Application) String() string { return "application:" + strconv.Quote(a.PlatformName) }

// LogValue implements [slog.LogValuer].
func (a Application) LogValue() slog.Value { return slog.StringValue(a.String()) }

// String tells nothing.
func (Secrets) String() string { return "secrets" }

// LogValue implements [slog.LogValuer].
func (x Secrets) LogValue() slog.Value { return slog.StringValue(x.String()) }

// String tells nothing.
func (BankDetails) String() string { return "bank details" }

// LogValue implements [slog.LogValuer].
func (b BankDetails) LogValue() slog.Value { return slog.StringValue(b.String()) }

// String names the platform.
func (c Credentials) String() string { return "credentials of " + c.Platform.String() }

// LogValue implements [slog.LogValuer].
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String tells nothing.
func (Callback) String() string { return "callback" }

// LogValue implements [slog.LogValuer].
func (c Callback) LogValue() slog.Value { return slog.StringValue(c.String()) }
