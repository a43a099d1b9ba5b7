"""What is wrong with a data set, found before a model learns it."""

from dermfeat.auditing.audit import audit
from dermfeat.auditing.finding import Finding
from dermfeat.auditing.report import AuditReport

__all__ = ["AuditReport", "Finding", "audit"]
