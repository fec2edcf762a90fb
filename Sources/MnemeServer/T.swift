import Mneme
