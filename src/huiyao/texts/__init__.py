"""What people read: `inbox` in the app, `sms` on the phone; `language` has the words, `dates` the days and times.

Rendered in the reader's language and time zone, from values alone: nothing is read here, and there is no clock.
"""
