"""Pure decisions about an invitation: state and command in, Change or notices out. No I/O and no clock.

`organize` holds what the organizer may do, `attend` what an attendee may do, `timing` when tasks are due,
`announce` who is told what.
"""
