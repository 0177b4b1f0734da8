from ..datasets.conftest import server as server
