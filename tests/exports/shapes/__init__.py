"""The shapes of exports, a file for each program or kind of program; none knows what the loader understands."""

from exports.shape import Shape
from exports.shapes import hubspot, pipedrive, salesforce, sheets

SHAPES: tuple[Shape, ...] = (
    *hubspot.SHAPES,
    *salesforce.SHAPES,
    *pipedrive.SHAPES,
    *sheets.SHAPES,
)
BY_NAME = {shape.name: shape for shape in SHAPES}
