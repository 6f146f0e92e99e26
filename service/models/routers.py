"""All that is reachable of models, for the application to include."""

from service.models.alias_routes import router as aliases
from service.models.document_routes import router as documents
from service.models.evaluation_routes import router as evaluations
from service.models.explanation_routes import router as explanations
from service.models.import_routes import router as imports
from service.models.influence_routes import router as influence
from service.models.report_routes import router as reports
from service.models.routes import router as models
from service.models.traffic_routes import router as traffic
from service.models.verify_routes import router as verification

ROUTERS = (
    models, aliases, traffic, documents, reports, evaluations, explanations, influence,
    verification, imports,
)  # fmt: skip
