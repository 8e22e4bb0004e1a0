"""A SavedModel folder, and sessions that hold what is in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.backends.direct_session import DirectSession
from gateway.backends.graph_rewrites import avoid_onednn_matmul
from gateway.backends.model_contents import (
    asset_files,
    check_assets,
    incomplete,
    initialiser,
    must_restore,
)
from gateway.backends.model_session import ModelSession
from gateway.backends.placements import Placement
from gateway.backends.public_session import PublicSession
from gateway.backends.saved_model_files import VARIABLES, missing_files, verify_manifest
from gateway.backends.stored_graph import StoredGraph
from gateway.backends.tf_api import TensorFlowApi

logger = logging.getLogger(__name__)


class SavedModel:
    """A version folder whose files are all there, ready to be put into sessions."""

    def __init__(self, api: TensorFlowApi, path: Path, tags: Sequence[str]) -> None:
        """Read the graph and check the rest. Raises ServingError: FAILED_PRECONDITION for what is
        missing, DATA_LOSS for what is damaged."""
        if missing := missing_files(path):
            raise incomplete(missing)
        verify_manifest(path)
        self._api = api
        self._path = path
        self._tags = tags
        self._stored = StoredGraph(api.saved_model_pb2.SavedModel, path, tags)
        self._restores = must_restore(path, self.meta_graph)
        self._assets = asset_files(self.meta_graph, api.meta_graph_pb2.AssetFileDef)
        check_assets(path, self._assets)
        if rewritten := self._stored.rewrite(avoid_onednn_matmul):
            logger.debug("BatchMatMul nodes kept from oneDNN: %d", rewritten)

    @property
    def meta_graph(self) -> Any:
        """The MetaGraphDef; to read."""
        return self._stored.meta_graph

    def open_session(self, placement: Placement, *, direct: bool) -> ModelSession:
        """A session with the variables restored and the tables filled; ``direct`` takes the fast
        way. Raises ServingError and TensorFlow's errors."""
        return self._open_direct(placement) if direct else self._open_public(placement)

    def _open_direct(self, placement: Placement) -> ModelSession:
        session = DirectSession(self._api, placement)
        try:
            session.import_graph(self._stored.pieces(placement.device))
            if self._restores:
                saver = self.meta_graph.saver_def
                checkpoint = {saver.filename_tensor_name: str(self._path / VARIABLES)}
                session.run_op(saver.restore_op_name, checkpoint)
            if op := initialiser(self.meta_graph):
                folder = self._path / "assets"
                session.run_op(op, {t: str(folder / name) for t, name in self._assets.items()})
        except BaseException:
            session.close()
            raise
        return session

    def _open_public(self, placement: Placement) -> ModelSession:
        session = PublicSession(self._api, placement)
        try:
            session.load(self._path, self._tags, restore=self._restores)
        except BaseException:
            session.close()
            raise
        return session
