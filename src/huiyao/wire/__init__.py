"""The only place that knows JSON field names: both generations of requests in, the envelope out.

`fields` declares what a value may be, `requests` what each call takes, `answers` what it gives back. Parser
and OpenAPI document are made from the same declarations.
"""
